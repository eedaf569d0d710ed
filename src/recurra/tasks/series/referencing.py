"""What the references learn: the linear autoregression, and the weights of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.linear import LinearMap
from recurra.series.linear_fitting import fit_linear
from recurra.series.stacking import combine, fit_weights

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
    both = np.empty((2, *actual.shape))  # the combined references and the linear autoregression, which did not learn it
    for place, rows in enumerate(owned(len(chosen), clear, left_out)):
        parts[place] = own = _with_linear(parts[place], linear.without[place], linear.memory)
        both[0, rows] = combine(forecasts[:, rows], np.array(own.reference_weights))
        both[1, rows] = _map(own)(some.take(rows))
    whole = _shared(_with_linear(whole, linear.weights, linear.memory), both, actual, scale)
    return whole, [
        _shared(part, both[:, rows], actual[rows], scale[rows]) for part, rows in zip(parts, clear, strict=True)
    ]


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


def _with_linear(recipe: Recipe, weights: tuple[float, ...], memory: int) -> Recipe:
    shares = (0.0,) * len(recipe.reference_weights)
    return replace(recipe, linear_weights=weights, linear_memory=memory, linear_shares=shares)


def _map(recipe: Recipe) -> LinearMap:
    found = LinearMap.of(recipe)
    assert found is not None
    return found


def _shared(
    recipe: Recipe, both: NDArray[np.float64], actual: NDArray[np.float64], scale: NDArray[np.float64]
) -> Recipe:
    """The recipe with the linear autoregression's shares that fit best, from both forecasts (2, windows, horizon)."""
    shares = fit_weights(both, actual, scale)[:, 1]
    return replace(recipe, linear_shares=tuple(np.clip(shares, 0.0, 1.0).tolist()))


def _weighed(
    recipe: Recipe, forecasts: NDArray[np.float64], actual: NDArray[np.float64], scale: NDArray[np.float64]
) -> Recipe:
    """The recipe with the weights that fit forecasts (references, windows, horizon) best."""
    weights = fit_weights(forecasts, actual, scale)
    return replace(recipe, reference_weights=tuple(tuple(map(float, group)) for group in weights))
