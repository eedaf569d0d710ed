"""``Forecast``: quantiles of the steps after each series' end, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The levels of every forecast: the median, and what intervals of 80 and 90 % and the weighted quantile loss need.
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

SAMPLES = 200  # paths of a forecast that draws them, by default


@dataclass(frozen=True, eq=False)
class Forecast:
    """Quantiles of the next steps of series.

    Attributes:
        ids: the name of each series.
        positions: int64 (series,), the position of the first forecast step of each.
        levels: the levels of the quantiles, ascending; 0.5 is one of them.
        quantiles: float64 (series, horizon, levels), in the units of the target; they never cross.
    """

    ids: tuple[str, ...]
    positions: NDArray[np.int64]
    levels: tuple[float, ...]
    quantiles: NDArray[np.float64]

    @property
    def median(self) -> NDArray[np.float64]:
        """The point forecast: float64 (series, horizon)."""
        return self.quantiles[:, :, self.levels.index(0.5)]
