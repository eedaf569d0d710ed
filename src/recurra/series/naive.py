"""Naive forecasts of a panel, with the quantiles of their own errors in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError
from recurra.series.forecast import LEVELS, Forecast
from recurra.series.references import NAIVE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.panel import Panel

    Floats = NDArray[np.float64]

MOST_ERRORS = 200  # past origins whose errors give a step's quantiles; the latest count
FEWEST_ERRORS = 8  # of a step; with fewer its quantiles are those of an earlier step, made wider
MOST_NUMBERS = 4_000_000  # errors in memory at a time


def naive_forecasts(panel: Panel, horizon: int, period: int) -> dict[str, Forecast]:
    """The naive forecasts of the steps after each series' end, by their names in ``NAIVE``.

    The median is the forecast of the rule of that name in ``references``. Around it the quantiles are those of the
    errors, of either sign, that the rule made at the same number of steps ahead from the last 200 origins of the same
    series. A step with fewer than 8 errors has those of the last step that has as many, times the root of the steps'
    ratio. A series without negative values has no negative quantiles, and no negative median.

    Args:
        panel: the series; each has an observed value.
        horizon: the number of steps.
        period: the season in steps, 1 or above; with 1 the first two forecasts are equal.

    Raises:
        RunError: a series has no observed value.
    """
    count, width = len(panel), horizon + MOST_ERRORS + 2 * period
    quantiles = {name: np.empty((count, horizon, len(LEVELS))) for name in NAIVE}
    rows = max(1, MOST_NUMBERS // (MOST_ERRORS * horizon + width))
    for first in range(0, count, rows):
        values = _aligned(panel, range(first, min(first + rows, count)), width)
        for name, points in zip(NAIVE, _points(values, horizon, period), strict=True):
            quantiles[name][first : first + rows] = _quantiles(values, points)
    positions = panel.starts + panel.lengths
    return {name: Forecast(panel.ids, positions, LEVELS, each) for name, each in quantiles.items()}


def _aligned(panel: Panel, rows: range, width: int) -> Floats:
    """The ends of series (rows, width), NaN before a series' first step."""
    values = np.full((len(rows), width), np.nan)
    for place, row in enumerate(rows):
        series = panel.target[row]
        latest = series[-width:]
        values[place, width - len(latest) :] = latest
        if not (~np.isnan(latest)).any():
            seen = series[~np.isnan(series)]
            if not seen.size:
                raise RunError(f"series {panel.ids[row]!r} has no observed value: leave it out")
            values[place, 0] = seen[-1]
    return values


def _points(values: Floats, horizon: int, period: int) -> tuple[Floats, Floats, Floats]:
    """The three forecasts from each of the last origins: (rows, origins, horizon); the last is the series' end."""
    width = values.shape[1]
    origins = np.arange(width - horizon - MOST_ERRORS + 1, width + 1)
    steps = np.arange(horizon)
    last = np.broadcast_to(_last_values(values)[:, origins - 1, None], (len(values), len(origins), horizon))
    earlier = values[:, np.minimum(origins[:, None] - period * (steps // period + 1) + steps, width - 1)]
    is_known = ~np.isnan(earlier)
    seasonal = np.where(is_known, earlier, last)
    growth = _growth(values, period)[:, origins, None] * (steps // period + 1)
    return last, seasonal, seasonal + np.where(is_known, growth, 0.0)


def _last_values(values: Floats) -> Floats:
    """Values (rows, steps) with NaN replaced by the last value before it, if there is one."""
    places = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    latest: Floats = np.take_along_axis(values, np.maximum.accumulate(places, 1), 1)
    return latest


def _growth(values: Floats, period: int) -> Floats:
    """The mean difference between the season before each origin and the one before that: (rows, steps + 1)."""
    differences = np.concatenate([np.full((len(values), period), np.nan), values[:, period:] - values[:, :-period]], 1)
    is_pair = ~np.isnan(differences)
    count = _season_sums(is_pair, period)
    total = _season_sums(np.where(is_pair, differences, 0.0), period)
    growth: Floats = np.divide(total, count, out=np.zeros(count.shape), where=count > 0)
    return growth


def _season_sums(values: Floats | NDArray[np.bool_], period: int) -> Floats:
    """The sum over the season before each origin: (rows, steps + 1)."""
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, 1, dtype=np.float64)], 1)
    before: Floats = sums[:, np.maximum(np.arange(sums.shape[1]) - period, 0)]
    return sums - before


def _quantiles(values: Floats, points: Floats) -> Floats:
    """The quantiles of the forecast from the last origin: (rows, horizon, levels)."""
    horizon = points.shape[2]
    shares = np.abs(2 * np.array(LEVELS) - 1)
    offsets = np.zeros((len(values), horizon, len(LEVELS)))
    counts = np.zeros((len(values), horizon), np.int64)
    for step in range(horizon):
        first = horizon - 1 - step  # the origin from which this step is the first of the last values
        errors = np.abs(values[:, -MOST_ERRORS:] - points[:, first : first + MOST_ERRORS, step])
        counts[:, step] = (~np.isnan(errors)).sum(1)
        offsets[:, step] = _ranked(np.sort(errors, 1), counts[:, step], shares)
    quantiles = points[:, -1, :, None] + np.sign(np.array(LEVELS) - 0.5) * _widened(offsets, counts)
    is_negative = (np.nanmin(values, 1) < 0)[:, None, None]
    return np.where(is_negative, quantiles, np.maximum(quantiles, 0.0))


def _ranked(errors: Floats, counts: NDArray[np.int64], shares: Floats) -> Floats:
    """Values of rank share · (count + 1) among ascending ones, NaN at the end, interpolated: (rows, shares)."""
    ranks = np.clip(shares * (counts[:, None] + 1) - 1, 0, np.maximum(counts[:, None] - 1, 0))
    below = np.floor(ranks).astype(np.int64)
    above = np.ceil(ranks).astype(np.int64)
    low, high = np.take_along_axis(errors, below, 1), np.take_along_axis(errors, above, 1)
    ranked: Floats = np.nan_to_num(low + (ranks - below) * (high - low))
    return ranked


def _widened(offsets: Floats, counts: NDArray[np.int64]) -> Floats:
    """Offsets (rows, horizon, levels) in which steps with few errors have those of an earlier step, made wider."""
    steps = np.arange(counts.shape[1])
    source = np.maximum(np.maximum.accumulate(np.where(counts >= FEWEST_ERRORS, steps, -1), 1), 0)
    factors = np.sqrt((steps + 1) / (source + 1))
    widened: Floats = np.take_along_axis(offsets, source[:, :, None], 1) * factors[:, :, None]
    return widened
