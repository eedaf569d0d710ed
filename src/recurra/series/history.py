"""``History``: the targets of a panel in one flat array, from which windows of many series are gathered at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class History:
    """Values of many series, one behind the other.

    Attributes:
        values: (total length, …), all series' values.
        begins: int64 (series,), where each series begins in `values`.
        lengths: int64 (series,), the number of its steps.
    """

    values: NDArray[np.float64]
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @staticmethod
    def of(series: Sequence[NDArray[np.float64]]) -> History:
        """The history of series, each (steps, …)."""
        lengths = np.array([len(values) for values in series], np.int64)
        values = np.concatenate(series) if len(series) else np.zeros(0)
        return History(values, np.cumsum(lengths) - lengths, lengths)

    def at(self, which: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """The values of series at steps; NaN outside of a series.

        Args:
            which: (windows,), the series of each window.
            steps: (windows, steps), counted from the beginning of its series.

        Returns:
            float64 (windows, steps, …).
        """
        inside = (steps >= 0) & (steps < self.lengths[which][:, None])
        places = np.where(inside, self.begins[which][:, None] + steps, 0)
        if not len(self.values):
            return np.full((*steps.shape, *self.values.shape[1:]), np.nan)
        found = self.values[places]
        found[~inside] = np.nan
        return found

    def last_before(self, which: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """The last observed value of series before a step of each; NaN where none is.

        Args:
            which: (windows,), the series of each window.
            steps: (windows,), counted from the beginning of its series.
        """
        if not len(self.values):
            return np.full(len(which), np.nan)
        begins = self.begins[which]
        ends = begins + np.clip(steps, 0, self.lengths[which])
        places = np.where(ends > begins, self._latest[ends - 1], -1)
        return np.where(places >= begins, self.values[places], np.nan)

    @cached_property
    def _latest(self) -> NDArray[np.int64]:
        """For each place, the last place up to it where anything was observed; -1 where there is none."""
        places = np.where(np.isnan(self.values), -1, np.arange(len(self.values)))
        return np.append(np.maximum.accumulate(places), -1)
