"""Transforms of series before they are forecast: where the spread grows with the level, they make it steady."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_SEASONS = 3
LEAST_CORRELATION = 0.8
LEAST_RISE = 2.0  # of the level, from its lowest to its highest
WITHOUT_SEASON = 12  # steps that stand for a season where there is none
SEASONS_FOR_ROOT = 8
LEAST_STEADIER = 0.75  # of how much the spread varies


@dataclass(frozen=True)
class Transform:
    """A way to read values.

    Attributes:
        name: its name in a file.
        least: no value that it reads is below this one.
        reads_least: whether it reads the least value itself.
        forward: takes values to what is forecast.
        inverse: takes forecasts to the units of the values; it never falls.
    """

    name: str
    least: float
    reads_least: bool
    forward: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats]

    def reads(self, values: Floats) -> bool:
        """Whether it reads all values; NaN is none."""
        return not bool((values < self.least if self.reads_least else values <= self.least).any())


def _same(values: Floats) -> Floats:
    return values


def _squared(values: Floats) -> Floats:
    return np.square(np.maximum(values, 0.0))


NONE = Transform("none", -np.inf, True, _same, _same)
ROOT = Transform("root", 0.0, True, np.sqrt, _squared)
LOGARITHM = Transform("logarithm", 0.0, False, np.log, np.exp)
TRANSFORMS = (NONE, ROOT, LOGARITHM)
BY_NAME = {each.name: each for each in TRANSFORMS}


def transform_of(values: Floats, periods: tuple[int, ...]) -> Transform:
    """The transform by which a series is forecast best, from the level and the spread of its seasons.

    Where the level more than doubles, it is the logarithm if all values are positive, and level and spread go together;
    else the root if no value is negative, and the spread in parts of the level's root varies less than the spread does
    (Guerrero 1993, Time-series analysis supported by power transformations).

    Args:
        values: the series, NaN where nothing was observed.
        periods: its seasons in steps.
    """
    seen = values[~np.isnan(values)]
    period = periods[0] if periods else WITHOUT_SEASON
    count = len(seen) // period
    if count < LEAST_SEASONS or period < 2 or not ROOT.reads(seen) or not seen.max() > 0:
        return NONE
    seen = np.ldexp(seen, -np.frexp(seen.max())[1])  # squares of huge and of tiny numbers stay in range
    seasons = seen[len(seen) - count * period :].reshape(count, period)
    level, spread = seasons.mean(axis=1), seasons.std(axis=1)
    if not (level.max() > LEAST_RISE * level.min() and spread.max() > spread.min()):
        return NONE
    if LOGARITHM.reads(seen) and np.corrcoef(level, spread)[0, 1] > LEAST_CORRELATION:
        return LOGARITHM
    varied = (level > 0) & (spread > 0)
    if varied.sum() < SEASONS_FOR_ROOT:
        return NONE
    level, spread = level[varied], spread[varied]
    return ROOT if _variation(spread / np.sqrt(level)) < LEAST_STEADIER * _variation(spread) else NONE


def _variation(values: Floats) -> float:
    """The coefficient of variation."""
    return float(values.std() / values.mean())


def inverted(values: Floats, codes: NDArray[np.int64]) -> Floats:
    """Forecasts in the units of the values: (windows, …), from the places of their transforms, (windows,)."""
    found: Floats = values.copy()
    for place, transform in enumerate(TRANSFORMS):
        if transform is not NONE and (rows := codes == place).any():
            found[rows] = transform.inverse(values[rows])
    return found
