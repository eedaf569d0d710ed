"""The reference forecasts of a series that goes on: those of ``references``, in little time for each step."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.references import LONG_PERIOD, MOST_SEASONS, neighbours, steps_before, with_shorter

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LatestReferences:
    """The reference forecasts from the end of one series; ``references`` has the formulas in words.

    The steps that they read are the same for each end, so their places are worked out once.

    Args:
        horizon: the number of steps to forecast.
        periods: the seasons in steps.
        count: the number of values that each call is given, at least ``references.steps_back`` of the periods.
    """

    def __init__(self, horizon: int, periods: tuple[int, ...], count: int) -> None:
        self._seasons = [_Season(horizon, period, shorter, count) for period, shorter in with_shorter(periods)]
        rules = [season.rules for season in self._seasons]
        self._found = np.empty((1 + sum(rules), horizon))
        self._parts = [self._found[begin:end] for begin, end in pairwise(np.cumsum([1, *rules]))]

    def __call__(self, values: NDArray[np.float64], last: float, has_gaps: bool) -> NDArray[np.float64]:
        """The forecasts, float64 (references, horizon), in the order of ``references``; the next call overwrites them.

        Args:
            values: (count,), the latest values; NaN where nothing was observed, and before the series begins.
            last: the last value that was observed.
            has_gaps: whether any of the values is NaN.
        """
        self._found[0] = last
        for season, part in zip(self._seasons, self._parts, strict=True):
            season.write(values, last, has_gaps, part)
        return self._found


class _Season:
    """The references of one season. Places count from the first of the values."""

    def __init__(self, horizon: int, period: int, shorter: int, count: int) -> None:
        seasons, back = steps_before(horizon, period)
        self.period, self.rules = period, 7 if period >= LONG_PERIOD else 6
        self._quarter = max(1, period // 4)
        self._back = count + back
        # A last column: the mean of a season before the last value, from which its anomaly is measured.
        means = np.append(back, -1 - period) + neighbours(period, shorter)[:, None]
        earlier = period * np.arange(MOST_SEASONS)[:, None, None]
        self._means = (count + np.minimum(means, -1) - earlier).reshape(-1, horizon + 1)
        # Rows: naive, with growth, with drift, with recent growth, moved to the last value.
        ones = np.ones(horizon)
        self._factors = np.stack([0 * ones, seasons, seasons, seasons, ones])
        self._slopes = np.zeros((5, 1))

    def write(self, values: NDArray[np.float64], last: float, has_gaps: bool, found: NDArray[np.float64]) -> None:
        """Write the forecasts, (rules, horizon)."""
        period, quarter, slopes = self.period, self._quarter, self._slopes
        newest, before = values[-period:], values[-2 * period : -period]
        growth = _mean(newest - before)
        recent = _mean(newest[-quarter:] - before[-quarter:])
        for row, slope in enumerate((growth, self._drift(values, growth), recent, last - float(before[-1])), 1):
            slopes[row, 0] = slope if slope == slope else 0.0
        naive = values.take(self._back)
        rows = found[:5]
        np.multiply(self._factors, slopes, out=rows)
        rows += naive
        if has_gaps:
            rows[:, np.isnan(naive)] = last
        means = self._seasonal_means(values, last, has_gaps)
        found[5] = means[:-1]
        if self.rules == 7:
            np.add(means[:-1], last - means[-1], out=found[6])

    def _drift(self, values: NDArray[np.float64], growth: float) -> float:
        """The mean growth of the most seasons that are known."""
        period = self.period
        newest = values[-period:]
        for count in range(MOST_SEASONS, 1, -1):
            drift = _mean(newest - values[-(count + 1) * period : -count * period]) / count
            if drift == drift:
                return drift
        return growth

    def _seasonal_means(self, values: NDArray[np.float64], last: float, has_gaps: bool) -> NDArray[np.float64]:
        """The means at the steps of the horizon, and in the last column at a season before the last value."""
        taken = values.take(self._means)
        if not has_gaps:
            return np.asarray(np.add.reduce(taken, axis=0) / len(taken))
        seen = ~np.isnan(taken)
        count = seen.sum(axis=0)
        total = np.add.reduce(np.where(seen, taken, 0.0), axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), last)


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of what is known of values; NaN of nothing."""
    total = float(np.add.reduce(values))
    if total == total:
        return total / len(values)
    seen = ~np.isnan(values)
    count = np.count_nonzero(seen)
    return float(np.add.reduce(np.where(seen, values, 0.0))) / count if count else np.nan
