"""Weights and widths from left-out windows: how far a forecast can be trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.windows import FURTHEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from recurra.series.recipe import Recipe
    from recurra.series.windows import EncodedWindows

    Quantile = Callable[[int], NDArray[np.float64]]  # of a level: the forecasts of observed values, (values,)

LEAST_SHARE = 0.25  # of the squared error of one member that is left to their mean
FEW_ERRORS = 5  # of a step of the horizon; so few say how large errors are, and not to which side they go
LEAST_WIDTH, MOST_WIDTH = 0.5, 2.5  # factors of a quantile's distance from the median
# Of the choice between networks and references: with the power 8 a loss that is 10 % lower has twice the weight. It is
# sharper the more the left-out windows tell.
LEAST_SHARPNESS, MORE_SHARPNESS, TELLING = 4.0, 12.0, 20.0


def pinball(
    quantiles: NDArray[np.float64], actual: NDArray[np.float64], levels: tuple[float, ...]
) -> NDArray[np.float64]:
    """The quantile loss of forecasts (…, levels) of actual values (…): float64 (…, levels)."""
    error = actual[..., None] - quantiles
    level = np.array(levels)
    return np.maximum(level * error, (level - 1) * error)


def calibrated(
    recipe: Recipe,
    windows: EncodedWindows,
    networks: NDArray[np.float64] | None,
    actual: NDArray[np.float64],
    disagreement: float = 0.0,
    counts: NDArray[np.float64] | None = None,
) -> Recipe:
    """The recipe with the networks' weight and the quantiles' widths that left-out windows ask for.

    Args:
        recipe: the recipe so far.
        windows: the left-out windows.
        networks: float64 (windows, horizon, levels), the forecasts of networks that did not see them, in scales; None
            where the references forecast alone.
        actual: float64 (windows, horizon), what was observed, transformed as the series; NaN where nothing was.
        disagreement: the mean squared distance of members' medians from their mean, in scales, on windows that none of
            them has seen.
        counts: float64 (windows,), how much each window counts in the choice between networks and references. Default:
            all count alike.
    """
    with np.errstate(all="ignore"):
        target = (actual - windows.base) / windows.scale[:, None]
    seen = np.isfinite(target)
    if not seen.any():
        return replace(recipe, network_weight=0.0)
    counts = np.ones(len(target)) if counts is None else counts
    # Windows that begin within a horizon tell about the same; of unequal ones, as many count as of equal ones would.
    independent = max(float(counts.sum() ** 2 / np.square(counts).sum()) / target.shape[1], 1.0)
    shares = np.repeat(counts[:, None], target.shape[1], axis=1)[seen]
    target = target[seen]
    quantiles = np.array(recipe.reference_quantiles)

    # Level by level, as all levels of many windows take much memory.
    def simple(level: int) -> NDArray[np.float64]:
        return np.asarray((windows.shift + quantiles[:, level])[seen])

    if networks is None:
        return replace(recipe, network_weight=0.0, widths=_widths(simple, target, recipe))
    outputs = networks

    def own(level: int) -> NDArray[np.float64]:
        return outputs[..., level][seen]

    network, references = (_loss(each, target, shares, recipe) for each in (own, simple))
    network *= _share_of_mean(own(recipe.median) - target, disagreement)
    network *= 1 + 0.5 / independent  # few windows say little, and references have little to learn from them
    sharpness = LEAST_SHARPNESS + MORE_SHARPNESS * independent / (independent + TELLING)
    weight = _weight(network, references, sharpness)
    widths = _widths(lambda level: weight * own(level) + (1 - weight) * simple(level), target, recipe)
    return replace(recipe, network_weight=weight, widths=widths)


def _loss(quantile: Quantile, target: NDArray[np.float64], shares: NDArray[np.float64], recipe: Recipe) -> float:
    """The quantile loss, averaged over levels, and over values by their shares."""
    losses = [
        np.average(pinball(quantile(place)[:, None], target, (level,))[:, 0], weights=shares)
        for place, level in enumerate(recipe.levels)
    ]
    return float(np.mean(losses))


def _share_of_mean(errors: NDArray[np.float64], disagreement: float) -> float:
    """The error of the members' mean, as a share of one member's.

    The squared error of a mean is the members' mean squared error less their disagreement (Krogh & Vedelsby 1995,
    equation 6).
    """
    squared = float(np.mean(np.minimum(np.square(errors), FURTHEST**2)))
    return float(np.sqrt(np.clip(1 - disagreement / squared, LEAST_SHARE, 1.0))) if squared > 0 else 1.0


def _weight(network: float, references: float, sharpness: float) -> float:
    """The weight of the networks, by the inverse of both losses."""
    if not network > 0 or not references > 0:
        return 0.0 if not references > 0 else 1.0
    return float(1 / (1 + (network / references) ** sharpness))


def _widths(blend: Quantile, target: NDArray[np.float64], recipe: Recipe) -> tuple[float, ...]:
    """For each level the factor by which its distance from the median must grow to hold its share of the targets."""
    middle = blend(recipe.median)
    errors = target - middle
    widths = []
    for place, level in enumerate(recipe.levels):
        if place == recipe.median:
            widths.append(1.0)
            continue
        sign = 1.0 if level > 0.5 else -1.0
        distance = np.maximum(np.abs(blend(place) - middle), 1e-9)
        needed = np.quantile(sign * errors / distance, max(level, 1 - level))
        widths.append(float(np.clip(needed, LEAST_WIDTH, MOST_WIDTH)))
    return tuple(widths)


def reference_quantiles(
    windows: EncodedWindows, actual: NDArray[np.float64], recipe: Recipe
) -> tuple[tuple[float, ...], ...]:
    """The quantiles of the references' errors in scales, for each step of the horizon; the median's is zero.

    Args:
        windows: windows of the training data.
        actual: float64 (windows, horizon), NaN where nothing was observed.
        recipe: the recipe so far; of its fields the levels are used.
    """
    with np.errstate(all="ignore"):
        errors = (actual - windows.base) / windows.scale[:, None] - windows.shift
    rows = []
    for column in errors.T:
        seen = column[np.isfinite(column)]
        if len(seen) <= FEW_ERRORS:
            seen = np.concatenate([-seen, seen])
        quantiles = np.quantile(seen, recipe.levels) if len(seen) else np.zeros(len(recipe.levels))
        rows.append(tuple(map(float, quantiles - quantiles[recipe.median])))
    return tuple(rows)
