"""Measures of forecasts beside what came: errors of the median, the loss of the quantiles, coverage of intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Levels beyond these, which the interval of 90 % needs, are left out of the weighted quantile loss: so it is the usual
# one of nine levels.
LEAST_LEVEL, LARGEST_LEVEL = 0.1, 0.9

SERIES, ORIGIN, STEP = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Measures:
    """Measures of forecasts: of all values together, arrays without dimensions; or one of each series, origin or step.

    A measure is NaN where there is nothing to measure: no value was observed, or all of them are zero, by which `wql`
    would divide, or the forecast lacks an interval's levels.

    Attributes:
        count: the number of values that were observed; all measures are of these alone.
        mae: the mean absolute error of the median, in units of the target.
        rmse: the root of the mean squared error of the median, in units of the target.
        smape: the mean of 2 |y − f| / (|y| + |f|), from 0 to 2; a value of which both are zero counts as 0.
        mase: the mean of |y − f| / scale (Hyndman & Koehler 2006), with the scale of each series; see
            :func:`scale_of`.
        wql: the weighted quantile loss, 2 Σ pinball / (levels · Σ |y|), over the levels from 0.1 to 0.9; with many
            levels it tends to the CRPS, divided by the mean of |y|.
        coverage80: the share of values inside the interval of 80 %, its ends included.
        width80: the mean width of the interval of 80 %, in units of the target.
        coverage90: the share of values inside the interval of 90 %.
        width90: the mean width of the interval of 90 %, in units of the target.
    """

    count: NDArray[np.int64]
    mae: NDArray[np.float64]
    rmse: NDArray[np.float64]
    smape: NDArray[np.float64]
    mase: NDArray[np.float64]
    wql: NDArray[np.float64]
    coverage80: NDArray[np.float64]
    width80: NDArray[np.float64]
    coverage90: NDArray[np.float64]
    width90: NDArray[np.float64]

    def records(self) -> list[dict[str, float | None]]:
        """A dictionary of the measures of each series, origin or step, for JSON; None where a measure is NaN.

        Measures of all values together are one dictionary.
        """
        columns = {name: getattr(self, name).reshape(-1).tolist() for name in NAMES}
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return [{name: None if math.isnan(value) else value for name, value in row.items()} for row in rows]


NAMES = tuple(field.name for field in fields(Measures))


def measure(
    actual: ArrayLike,
    quantiles: ArrayLike,
    levels: Sequence[float],
    scales: ArrayLike,
    by: int | None = None,
) -> Measures:
    """Measure forecasts beside what came.

    Args:
        actual: (series, origins, horizon), in units of the target; NaN where nothing was observed.
        quantiles: (series, origins, horizon, levels).
        levels: the levels of the quantiles, ascending, with 0.5 among them.
        scales: (series,), what the errors of `mase` are divided by; see :func:`scale_of`.
        by: the dimension that the measures keep: ``SERIES``, ``ORIGIN`` or ``STEP``. Default: none, one measure of all.

    Returns:
        The measures: each an array without dimensions, or as long as the dimension `by`.
    """
    given, predicted = np.asarray(actual, np.float64), np.asarray(quantiles, np.float64)
    is_seen = ~np.isnan(given)
    rest = tuple(axis for axis in range(given.ndim) if axis != by)
    count = is_seen.sum(rest, dtype=np.int64)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.where(is_seen, values, 0.0).sum(rest))

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _ratio(total(values), count)

    median = predicted[..., levels.index(0.5)]
    error = np.abs(given - median)
    spread = np.abs(given) + np.abs(median)
    series_scales = np.asarray(scales, np.float64).reshape(-1, *[1] * (given.ndim - 1))
    intervals = [_interval(given, predicted, levels, low) for low in (0.1, 0.05)]
    (inside80, width80), (inside90, width90) = intervals
    return Measures(
        count=np.asarray(count),
        mae=mean(error),
        rmse=np.sqrt(mean(error**2)),
        smape=mean(2 * np.divide(error, spread, out=np.zeros_like(error), where=spread > 0)),
        mase=mean(error / series_scales),
        wql=_ratio(total(_pinball(given, predicted, levels)), total(np.abs(given))),
        coverage80=mean(inside80),
        width80=mean(width80),
        coverage90=mean(inside90),
        width90=mean(width90),
    )


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """A quotient; NaN where it would be by zero."""
    below = np.asarray(below, np.float64)
    quotient: NDArray[np.float64] = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
    return quotient


def _pinball(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], levels: Sequence[float]
) -> NDArray[np.float64]:
    """Twice the pinball loss of each value, the mean over the levels from 0.1 to 0.9."""
    chosen = [number for number, level in enumerate(levels) if LEAST_LEVEL <= level <= LARGEST_LEVEL]
    loss = np.zeros(actual.shape)
    for number in chosen:
        error, level = actual - quantiles[..., number], levels[number]
        loss += np.maximum(level * error, (level - 1) * error)
    return 2 * loss / len(chosen)


def _interval(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], levels: Sequence[float], low: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each value whether it is in the interval from a level to its counterpart, 1 or 0, and the interval's width.

    Both are NaN if the levels are missing.
    """
    high = round(1 - low, 9)
    if low not in levels or high not in levels:
        return np.full(actual.shape, np.nan), np.full(actual.shape, np.nan)
    lower, upper = quantiles[..., levels.index(low)], quantiles[..., levels.index(high)]
    return ((lower <= actual) & (actual <= upper)).astype(np.float64), upper - lower


def scale_of(history: ArrayLike, period: int) -> float:
    """The scale of a series' errors: the mean of |y[t] − y[t − period]| over a history (Hyndman & Koehler 2006, eq. 4).

    Where this is zero, or there are no two values that far apart, it is the mean of |y[t] − y[t − 1]|; where that is
    zero too, the mean of |y|; and 1 for a history of zeros, or without any observed value.

    Args:
        history: (length,), what was known before the first forecast; NaN where nothing was observed.
        period: the season in steps, 1 or above.
    """
    values = np.asarray(history, np.float64)
    for lag in dict.fromkeys((period, 1)):
        scale = _mean_seen(values[lag:] - values[:-lag])
        if scale > 0:
            return scale
    return _mean_seen(values) or 1.0


def _mean_seen(values: NDArray[np.float64]) -> float:
    """The mean of the absolute values that are no NaN; zero if there are none."""
    seen = np.abs(values[~np.isnan(values)])
    return float(seen.mean()) if seen.size else 0.0


def table(named: Mapping[str, Measures], measures: Sequence[str] = NAMES) -> list[tuple[str, ...]]:
    """Rows of text to print: a head, and for each forecast its name and measures.

    Args:
        named: measures of all values together, by the name of the forecast.
        measures: the columns. Default: all measures.
    """
    rows = [("", *measures)]
    for name, each in named.items():
        rows.append((name, *(shown(float(getattr(each, measure))) for measure in measures)))
    return rows


def shown(number: float) -> str:
    """A number with four significant digits; whole numbers as they are, and a dash for NaN."""
    if math.isnan(number):
        return "–"
    if number == round(number) and abs(number) < 1e6:
        return f"{number:.0f}"
    return f"{number:.3f}" if 0.1 <= abs(number) < 10 else f"{number:.4g}"
