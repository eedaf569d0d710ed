"""Seasons that the values show, beside those of the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEAST_CORRELATION = 0.3
RELATIVE_ZERO = 1e-9  # what remains beside a trend is rounding
LEAST_RISE = 0.15  # of a peak above the deepest valley before it
LONGEST = 400  # steps
LOOKED_AT = 20  # of the longest series


def find_periods(series: Sequence[NDArray[np.float64]], usual: tuple[int, ...]) -> tuple[int, ...]:
    """The seasons of series in steps, from the shortest: usual ones that fit in twice, and one that the values show.

    A season shows as a peak of the autocorrelation, averaged over the longest series; it must be no multiple of a usual
    one, and fit in three times.

    Args:
        series: the values of each series, NaN where nothing was observed.
        usual: the calendar's seasons, such as (24, 168).
    """
    longest = max((len(values) for values in series), default=0)
    periods = [period for period in usual if 2 * period <= longest]
    shown = _shown_period(sorted(series, key=len, reverse=True)[:LOOKED_AT], periods)
    return tuple(sorted({*periods, *([shown] if shown else [])}))


def _shown_period(series: Sequence[NDArray[np.float64]], usual: Sequence[int]) -> int | None:
    correlations = [each for each in map(_autocorrelation, series) if each is not None]
    if not correlations:
        return None
    size = min(map(len, correlations))
    mean = np.mean([each[:size] for each in correlations], axis=0)
    best, highest = None, LEAST_CORRELATION
    for lag in range(max(4, round(1.5 * usual[0]) if usual else 4), min(size, LONGEST)):
        near = mean[max(1, lag - max(2, lag // 4)) : lag + max(2, lag // 4) + 1]
        is_multiple = any(
            abs(lag - round(lag / period) * period) <= max(1, 0.02 * lag) and 2 * lag > period for period in usual
        )
        rise = mean[lag] - mean[1:lag].min()
        if mean[lag] > highest and mean[lag] == near.max() and rise > LEAST_RISE and not is_multiple:
            best, highest = lag, float(mean[lag])
    return best


def _autocorrelation(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The autocorrelation up to a third of the length; None for a series that is short or constant."""
    seen = ~np.isnan(values)
    if len(values) < 12 or seen.sum() < 8:
        return None
    largest = np.abs(values[seen]).max()
    if not largest > 0:
        return None
    steps = np.arange(len(values))
    slope, level = np.polyfit(steps[seen], values[seen] / largest, 1)
    centred = np.where(seen, values / largest - level - slope * steps, 0.0)  # a trend would hide seasons
    if not np.abs(centred).max() > RELATIVE_ZERO:
        return None
    spectrum = np.fft.rfft(centred, 2 * len(values))
    products = np.fft.irfft(spectrum * spectrum.conj())[: len(values) // 3]
    return np.asarray(products / products[0])
