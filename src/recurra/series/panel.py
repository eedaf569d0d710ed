"""``Panel``: time series on regular grids, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.frequency import Frequency


@dataclass(frozen=True, eq=False)
class Panel:
    """Time series of one frequency, each on a regular grid of positions.

    Attributes:
        ids: the name of each series, as the table has it; one empty name where there is no column of ids.
        starts: int64 (series,), the position of each series' first step; `frequency` gives positions their times.
        target: for each series float64 (length,), NaN where nothing was observed.
        known: for each series float64 (length + ahead, known columns): inputs known ahead of time, with as many steps
            ahead as are given; NaN where missing.
        past: for each series float64 (length, past columns): inputs known up to the present; NaN where missing.
        static: int64 (series, static columns): the number of each series' category, 0 for one that was not trained on.
        frequency: the grid.
    """

    ids: tuple[str, ...]
    starts: NDArray[np.int64]
    target: tuple[NDArray[np.float64], ...]
    known: tuple[NDArray[np.float64], ...]
    past: tuple[NDArray[np.float64], ...]
    static: NDArray[np.int64]
    frequency: Frequency

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of steps of each series' target."""
        return np.array([len(values) for values in self.target], np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def until(self, origins: NDArray[np.int64]) -> Panel:
        """The panel as it was known after so many steps of each series, with the known inputs of all later steps."""
        pairs = list(zip(self.target, origins, strict=True))
        return replace(
            self,
            target=tuple(values[:origin] for values, origin in pairs),
            past=tuple(values[:origin] for values, origin in zip(self.past, origins, strict=True)),
        )

    def take(self, rows: NDArray[np.int64]) -> Panel:
        """The series of these numbers, in their order; a series may come several times."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            starts=self.starts[rows],
            target=tuple(self.target[row] for row in rows),
            known=tuple(self.known[row] for row in rows),
            past=tuple(self.past[row] for row in rows),
            static=self.static[rows],
        )


def make_panel(
    targets: list[NDArray[np.float64]],
    frequency: Frequency,
    *,
    ids: list[str] | None = None,
    starts: NDArray[np.int64] | None = None,
) -> Panel:
    """A panel of targets alone, without inputs and categories."""
    count = len(targets)
    return Panel(
        ids=tuple(ids or [""] * count),
        starts=np.zeros(count, np.int64) if starts is None else starts,
        target=tuple(np.asarray(values, np.float64) for values in targets),
        known=tuple(np.zeros((len(values), 0)) for values in targets),
        past=tuple(np.zeros((len(values), 0)) for values in targets),
        static=np.zeros((count, 0), np.int64),
        frequency=frequency,
    )
