"""The linear autoregression: a forecast by weights of the latest values, which are learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.references import AT_ONCE, last_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.recipe import Recipe
    from recurra.series.references import Windows

LONGEST_SEASON = 400  # steps; of a longer one no lags are read
MOST_NUMBERS = 2**22  # of a map
MEANS_AT_ONCE = 200  # windows; a memory has hundreds of steps


def lags_of(context: int, periods: tuple[int, ...]) -> NDArray[np.int64]:
    """The lags that are weighed, int64, ascending: from 2 to the context, and three around each longer season."""
    around = {period + step for period in periods if period <= LONGEST_SEASON for step in (-1, 0, 1)}
    return np.array(sorted({*range(2, context + 1), *(lag for lag in around if lag > max(context, 1))}), np.int64)


@dataclass(frozen=True, eq=False)
class LinearMap:
    """The forecasts of all steps of a horizon, as weights of what is known at the origin.

    The next value is the last one, plus weighted differences of earlier values from it, and of a longer mean. A step
    further ahead takes the forecasts before it as values. As each is linear, all are linear in what is known; so the
    forecast of a series moves and grows with it. A value that is missing counts as equal to the last one.

    Attributes:
        weights: float64 (horizon, steps), those of the differences from the last value, the latest first.
        of_mean: float64 (horizon,), that of the mean's difference.
        memory: the number of steps of the mean; 0 without one.
    """

    weights: NDArray[np.float64]
    of_mean: NDArray[np.float64]
    memory: int

    @staticmethod
    def of(recipe: Recipe) -> LinearMap | None:
        """The map of a recipe; None where it has none."""
        if not recipe.linear_weights:
            return None
        lags = lags_of(recipe.context, recipe.periods)
        return linear_map(np.array(recipe.linear_weights), lags, recipe.horizon, recipe.linear_memory)

    @property
    def gain(self) -> float:
        """The most by which a forecast is farther from the last value than any value that it is made of."""
        return float((np.abs(self.weights).sum(axis=1) + np.abs(self.of_mean)).max())

    def __call__(self, windows: Windows) -> NDArray[np.float64]:
        """The forecasts of windows, float64 (windows, horizon)."""
        count = len(windows.which)
        found = np.empty((count, len(self.weights)))
        for begin in range(0, count, AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            found[rows] = self._forecast(windows.take(rows))
        return found

    def _forecast(self, windows: Windows) -> NDArray[np.float64]:
        last = last_values(windows)
        found = np.repeat(last[:, None], len(self.weights), axis=1)
        # Lag by lag, as a product of matrices has other last bits for other numbers of windows.
        for values, weights in zip(differences(windows, last, self.weights.shape[1]).T, self.weights.T, strict=True):
            found += values[:, None] * weights
        if self.memory:
            found += mean_differences(windows, last, self.memory)[:, None] * self.of_mean
        return found

    def latest(self, values: NDArray[np.float64], last: float, has_gaps: bool, horizon: int) -> NDArray[np.float64]:
        """The forecast of the first steps, float64 (horizon,), from the latest values of one series, in order."""
        near, long = values[: -1 - self.weights.shape[1] : -1] - last, values[len(values) - self.memory :] - last
        if has_gaps:
            near, long = np.where(np.isnan(near), 0.0, near), long[~np.isnan(long)]
        # Step by step, as a product of matrices has other last bits for other numbers of steps.
        found: NDArray[np.float64] = np.add.reduce(self.weights[:horizon] * near, axis=1) + last
        if self.memory and len(long):
            found += self.of_mean[:horizon] * (np.add.reduce(long) / len(long))
        return found


def linear_map(weights: NDArray[np.float64], lags: NDArray[np.int64], horizon: int, memory: int) -> LinearMap:
    """The map of a horizon from the weights of one step.

    Args:
        weights: float64 (lags, or lags + 1), those of the lags' differences, and with a memory that of the mean's.
        lags: int64 (lags,), ascending, from 2 on.
        horizon: the number of steps.
        memory: the number of steps of the mean; 0 without one.
    """
    steps = int(lags.max(initial=1))
    rows = np.zeros((steps + horizon, steps + 1))  # each value by the differences that make it; the mean's comes last
    past = np.arange(1, steps)
    rows[steps - 1 - past, past] = 1.0
    own = weights[: len(lags)]
    of_mean = float(weights[-1]) if memory else 0.0
    for now in range(steps, steps + horizon):
        rows[now] = own @ rows[now - lags] + (1 - own.sum() - of_mean) * rows[now - 1]
        rows[now, -1] += of_mean
    return LinearMap(np.ascontiguousarray(rows[steps:, :-1]), rows[steps:, -1].copy(), memory)


def differences(windows: Windows, last: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """The differences of the latest values from the last one, the latest first: float64 (windows, steps)."""
    found = windows.before(np.arange(-1, -steps - 1, -1)) - last[:, None]
    return np.where(np.isnan(found), 0.0, found)


def mean_differences(windows: Windows, last: NDArray[np.float64], memory: int) -> NDArray[np.float64]:
    """The difference of the mean of the latest values from the last one: float64 (windows,)."""
    steps, means = np.arange(-memory, 0), np.empty(len(last))
    for begin in range(0, len(last), MEANS_AT_ONCE):
        rows = slice(begin, begin + MEANS_AT_ONCE)
        found = windows.take(rows).before(steps) - last[rows, None]
        seen = ~np.isnan(found)
        means[rows] = np.where(seen, found, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return means
