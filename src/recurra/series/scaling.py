"""Scaling of series: logarithms where the spread grows with the level, and an offset and a scale for each window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SEASONS = 3
LEAST_CORRELATION = 0.8
LEAST_RISE = 2.0  # of the level, from its lowest to its highest
WITHOUT_SEASON = 12  # steps that stand for a season where there is none
RELATIVE_ZERO = 1e-9  # a spread below this share of the level is that of rounding


def is_multiplicative(values: NDArray[np.float64], periods: tuple[int, ...]) -> bool:
    """Whether a series is better forecast as logarithms.

    All its values are positive, its level more than doubles, and the spread of its seasons grows with their level.
    """
    seen = values[~np.isnan(values)]
    period = periods[0] if periods else WITHOUT_SEASON
    count = len(seen) // period
    if count < LEAST_SEASONS or period < 2 or not (seen > 0).all():
        return False
    seen = np.ldexp(seen, -np.frexp(seen.max())[1])  # squares of huge and of tiny numbers stay in range
    seasons = seen[len(seen) - count * period :].reshape(count, period)
    level, spread = seasons.mean(axis=1), seasons.std(axis=1)
    if not (level.max() > LEAST_RISE * level.min() and spread.max() > spread.min()):
        return False
    return bool(np.corrcoef(level, spread)[0, 1] > LEAST_CORRELATION)


def window_scales(
    context: NDArray[np.float64], whole: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The offset and the scale of each window.

    Args:
        context: float64 (windows, context), NaN where nothing was observed.
        whole: float64 (windows,), the scale of all that was known of the series, for windows without any change.

    Returns:
        The mean and the mean absolute deviation of each window, float64 (windows,). The scale is zero where a window
        and its series are constant.
    """
    seen = ~np.isnan(context)
    count = np.maximum(seen.sum(axis=1), 1)
    largest = np.where(seen, np.abs(context), 0.0).max(axis=1)
    unit = np.where(largest > 0, largest, 1.0)
    scaled = np.where(seen, context, 0.0) / unit[:, None]  # sums of huge and of tiny numbers stay exact
    offset = scaled.sum(axis=1) / count
    scale = np.where(seen, np.abs(scaled - offset[:, None]), 0.0).sum(axis=1) / count
    is_constant = scale <= RELATIVE_ZERO
    return offset * unit, np.where(is_constant, whole, scale * unit)
