"""What the references learn: the linear autoregression, and the weights of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.linear import lags_of, linear_map
from recurra.series.linear_fitting import fit_linear
from recurra.series.stacking import fit_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.recipe import Recipe
    from recurra.series.references import Windows
    from recurra.series.windows import SeriesReader

WEIGHED = 4_000  # windows that the fits see
LEAST_INDEPENDENT = 10  # horizons that the windows clear of a block span; fewer teach too little to be judged by
MEMORY = 4  # parts of a usual series, of which one is the longest memory of the linear autoregression


def fit_references(
    reader: SeriesReader,
    windows: Windows,
    generator: np.random.Generator,
    clear: Sequence[NDArray[np.int64]],
    left_out: Sequence[NDArray[np.int64]],
) -> tuple[Recipe, list[Recipe]]:
    """Fit the references on some of the windows.

    Args:
        reader: the series, with the recipe so far.
        windows: the windows.
        generator: it chooses the windows that the fits see, where there are very many.
        clear: for each block the windows that are clear of it.
        left_out: for each block the windows in it.

    Returns:
        The recipe with what all windows say; and for each block one with what the windows say that are clear of it;
        but where these are very few, with what all say.
    """
    chosen = np.sort(generator.permutation(len(windows.which))[:WEIGHED])
    some, places = windows.take(chosen), np.full(len(windows.which), -1)
    places[chosen] = np.arange(len(chosen))

    def among(rows: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        return [found[found >= 0] for found in (places[each] for each in rows)]

    clear, left_out = among(clear), among(left_out)
    actual, scale = reader.actual(some), reader.fitting_scales(some)
    recipe = reader.recipe
    if min(map(len, clear)) < LEAST_INDEPENDENT * recipe.horizon:
        forecasts = np.stack(list(reader.references(some).values()))
        whole = _weighed(recipe, forecasts, actual, scale)
        return whole, [whole] * len(clear)
    linear = fit_linear(some, actual, scale, recipe, _memory(reader), clear, left_out)
    forecasts = np.stack(list(reader.references(some).values()))
    whole = _weighed(recipe, forecasts, actual, scale)
    parts = [_weighed(recipe, forecasts[:, rows], actual[rows], scale[rows]) for rows in clear]
    if linear is None:
        return whole, parts
    lags = lags_of(recipe.context, recipe.periods)
    own = np.empty((1, *actual.shape))  # the linear autoregression that did not learn a window's block
    for place, rows in enumerate(owned(len(chosen), clear, left_out)):
        own[0, rows] = linear_map(np.array(linear.without[place]), lags, recipe.horizon, linear.memory)(some.take(rows))
    every = np.concatenate([forecasts, own])
    parts = [
        _with_linear(part, fit, linear.memory, every[:, rows], actual[rows], scale[rows])
        for part, fit, rows in zip(parts, linear.without, clear, strict=True)
    ]
    return _with_linear(whole, linear.weights, linear.memory, every, actual, scale), parts


def owned(
    count: int, clear: Sequence[NDArray[np.int64]], left_out: Sequence[NDArray[np.int64]]
) -> list[NDArray[np.int64]]:
    """For each block the windows that are forecast without it: each window once, those in it and at its edges."""
    owners = np.zeros(count, np.int64)
    for place, rows in enumerate(clear):
        is_clear = np.zeros(count, bool)
        is_clear[rows] = True
        owners[~is_clear] = place
    for place, rows in enumerate(left_out):
        owners[rows] = place
    return [np.flatnonzero(owners == place) for place in range(len(clear))]


def _memory(reader: SeriesReader) -> int:
    """The steps of the linear autoregression's mean: what a usual series has, and references look back on."""
    return min(int(np.median(reader.target.lengths)) // MEMORY, reader.look_back)


def _with_linear(
    recipe: Recipe,
    weights: tuple[float, ...],
    memory: int,
    forecasts: NDArray[np.float64],
    actual: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> Recipe:
    """The recipe with a linear autoregression, and the weights that fit forecasts (references + 1, …) best."""
    blend = _rows(fit_weights(forecasts, actual, scale))
    return replace(recipe, linear_weights=weights, linear_memory=memory, blend_weights=blend)


def _weighed(
    recipe: Recipe, forecasts: NDArray[np.float64], actual: NDArray[np.float64], scale: NDArray[np.float64]
) -> Recipe:
    """The recipe with the weights that fit forecasts (references, windows, horizon) best."""
    return replace(recipe, reference_weights=_rows(fit_weights(forecasts, actual, scale)))


def _rows(weights: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, group)) for group in weights)
