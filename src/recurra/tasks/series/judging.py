"""What left-out windows say of a forecaster: its weights and widths, its gain over naive forecasts, its coverage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.calibration import calibrated, reference_quantiles
from recurra.series.references import is_naive
from recurra.series.stacking import combine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.recipe import Recipe
    from recurra.series.windows import EncodedWindows
    from recurra.tasks.series.forecaster_data import ForecasterData


def judged(data: ForecasterData, networks: NDArray[np.float64], disagreement: float = 0.0) -> Recipe:
    """The recipe after calibration on the left-out windows, with the figures that these give.

    Where the best naive forecast is better there, the recipe is that of the naive forecast alone.

    Args:
        data: the windows.
        networks: float64 (left-out windows, horizon, levels), the members' forecasts in scales, member by member.
        disagreement: the mean squared distance of the members' medians from their mean, in scales.
    """
    judge = _Judge(data, networks)
    recipe = calibrated(data.recipe, judge.windows, networks, judge.actual, disagreement)
    errors = judge.naive_errors()
    best = min(errors, key=lambda name: errors[name])
    recipe = judge.measured(recipe, judge.windows, best, errors[best])
    if recipe.gain is not None and recipe.gain > 0:
        return recipe
    alone, windows = judge.naive_alone(recipe, best)
    return replace(judge.measured(alone, windows, best, errors[best]), gain=recipe.gain)


class _Judge:
    """The left-out windows, with what was observed in them."""

    def __init__(self, data: ForecasterData, networks: NDArray[np.float64]) -> None:
        self.data, self.networks = data, networks
        self.rows = np.concatenate(data.left_out)
        self.windows, self.actual = data.windows.without_inputs().take(self.rows), data.actual[self.rows]
        self.true = self._exact(self.actual)
        self.seen = np.isfinite(self.true)
        size = np.where(self.seen, np.abs(self.true), 0.0).sum(axis=1) / np.maximum(self.seen.sum(axis=1), 1)
        self.unit = np.where(size > 0, size, 1.0)[:, None]  # windows of all sizes count alike

    def _exact(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values in the units of the target."""
        found: NDArray[np.float64] = values.copy()
        found[self.windows.logarithms] = np.exp(found[self.windows.logarithms])
        return found

    def _error(self, forecast: NDArray[np.float64]) -> float:
        """The mean absolute error of (windows, horizon), in parts of each window's size."""
        errors = np.abs(forecast - self.true) / self.unit
        return float(errors[self.seen].mean()) if self.seen.any() else 0.0

    def naive_errors(self) -> dict[str, float]:
        """The errors of the naive forecasts, by name."""
        found = self.data.reader.references(self.data.places.take(self.rows))
        return {name: self._error(self._exact(values)) for name, values in found.items() if is_naive(name)}

    def measured(self, recipe: Recipe, windows: EncodedWindows, naive: str, error: float) -> Recipe:
        """The recipe with its figures on left-out windows, beside a naive forecast of that error."""
        forecast = windows.decode(self.networks, recipe)
        gain = 1 - self._error(forecast[..., recipe.median]) / error if error > 0 else 0.0
        tenth, ninth = (
            min(range(len(recipe.levels)), key=lambda i: abs(recipe.levels[i] - level)) for level in (0.1, 0.9)
        )
        coverage = tuple(
            float(np.mean(((forecast[..., low] <= self.true) & (self.true <= forecast[..., high]))[self.seen]))
            if self.seen.any()
            else 0.0
            for low, high in ((tenth, ninth), (0, -1))
        )
        return replace(recipe, naive=naive, gain=gain, coverage=coverage, left_out=int(self.seen.sum()))

    def naive_alone(self, recipe: Recipe, naive: str) -> tuple[Recipe, EncodedWindows]:
        """The recipe of a naive forecast without networks, and the left-out windows as it forecasts them."""
        data = self.data
        found = data.reader.references(data.places)
        weights = tuple(tuple(float(name == naive) for name in found) for _ in recipe.reference_weights)
        base = combine(np.stack(list(found.values())), np.array(weights))
        windows = replace(data.windows.without_inputs(), base=base)
        quantiles = reference_quantiles(windows, data.actual, recipe)
        alone = replace(recipe, reference_weights=weights, reference_quantiles=quantiles, network_weight=0.0)
        nothing = np.zeros_like(self.networks)
        left_out = windows.take(self.rows)
        return replace(calibrated(alone, left_out, nothing, self.actual), network_weight=0.0), left_out
