"""Fits of the linear autoregression, by ridge regression on windows of all series together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.linear import MOST_NUMBERS, LinearMap, differences, lags_of, linear_map, mean_differences
from recurra.series.references import last_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recurra.series.recipe import Recipe
    from recurra.series.references import Windows

RIDGES = 10.0 ** np.arange(-5, 3)  # of the mean variance of the inputs
MOST_GAIN = 20.0  # of a map; one that amplifies more is not trusted
WINDOWS_EACH = 4  # windows for each weight, at least, besides a block
CONTEXTS = 2  # that a memory is long, at least; the context says the mean of fewer steps
PLACES = 7  # decimal ones of the weights: sums in another order are the same number


@dataclass(frozen=True)
class LinearFit:
    """Fitted weights.

    Attributes:
        weights: those of all windows.
        without: for each block, those of the windows that are clear of it.
        memory: the number of steps of the mean; 0 without one.
    """

    weights: tuple[float, ...]
    without: tuple[tuple[float, ...], ...]
    memory: int


def fit_linear(
    windows: Windows,
    actual: NDArray[np.float64],
    scale: NDArray[np.float64],
    recipe: Recipe,
    memory: int,
    clear: Sequence[NDArray[np.int64]],
    left_out: Sequence[NDArray[np.int64]],
) -> LinearFit | None:
    """Fit the weights; the strength of the ridge is that which forecasts left-out blocks best, up to the horizon's end.

    Args:
        windows: the windows.
        actual: float64 (windows, horizon), what came, NaN where nothing was observed.
        scale: float64 (windows,), by which errors are divided.
        recipe: the facts of the forecaster; of its fields the horizon, the context and the periods are used.
        memory: the number of steps of the mean that is weighed too; it is left out where it is hardly longer than the
            context.
        clear: for each block the windows that are clear of it.
        left_out: for each block the windows in it.

    Returns:
        None where there are too few windows, or no strength gives a map that can be trusted.
    """
    lags = lags_of(recipe.context, recipe.periods)
    memory = memory if memory >= CONTEXTS * recipe.context else 0
    steps = int(lags.max(initial=1))
    if not len(lags) or (steps + recipe.horizon) * (steps + 1) > MOST_NUMBERS:
        return None
    last = last_values(windows)
    near = differences(windows, last, steps)
    inputs = near[:, lags - 1]
    means = mean_differences(windows, last, memory) if memory else np.zeros(len(last))
    if memory:
        inputs = np.concatenate([inputs, means[:, None]], axis=1)
    unit = np.where(scale > 0, scale, np.inf)
    usable = np.isfinite(actual[:, 0]) & (scale > 0) & (windows.origins >= memory)
    with np.errstate(all="ignore"):
        inputs, target = inputs / unit[:, None], (actual[:, 0] - last) / unit
        errors = np.zeros(len(RIDGES))
        parts = []
        for rows, held in zip(clear, left_out, strict=True):
            rows = rows[usable[rows]]
            if len(rows) < WINDOWS_EACH * inputs.shape[1]:
                return None
            fits = _ridges(inputs[rows], target[rows])
            parts.append(fits)
            goal = (actual[held] - last[held, None]) / unit[held, None]
            for place, fit in enumerate(fits):
                made = linear_map(fit, lags, recipe.horizon, memory)
                errors[place] += _error(made, near[held], means[held], unit[held], goal)
    best = int(np.argmin(errors))
    fit = _ridges(inputs[usable], target[usable])[best]
    if not np.isfinite(errors[best]) or linear_map(fit, lags, recipe.horizon, memory).gain > MOST_GAIN:
        return None
    return LinearFit(tuple(fit.tolist()), tuple(tuple(each[best].tolist()) for each in parts), memory)


def _ridges(inputs: NDArray[np.float64], target: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The weights of least squared error for each strength of the ridge, (inputs,) each."""
    values, vectors = np.linalg.eigh(inputs.T @ inputs)
    values = np.maximum(values, 0.0)
    products = vectors.T @ (inputs.T @ target)
    mean = max(float(values.mean()), np.finfo(float).tiny)
    return [np.round(vectors @ (products / (values + ridge * mean)), PLACES) for ridge in RIDGES]


def _error(
    made: LinearMap,
    near: NDArray[np.float64],
    means: NDArray[np.float64],
    unit: NDArray[np.float64],
    goal: NDArray[np.float64],
) -> float:
    """The squared error of a map's forecasts, in scales, summed over what was observed; infinite without trust."""
    if not made.gain <= MOST_GAIN:
        return np.inf
    forecasts = (near @ made.weights.T + means[:, None] * made.of_mean) / unit[:, None]
    return float(np.nansum(np.square(forecasts - goal)))
