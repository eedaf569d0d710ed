"""What left-out windows say of a forecaster: its weights and widths, its gain over naive forecasts, its coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.calibration import calibrated, reference_quantiles
from recurra.series.references import is_naive
from recurra.series.stacking import combine
from recurra.series.transforms import inverted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.recipe import Recipe
    from recurra.series.windows import EncodedWindows
    from recurra.tasks.series.forecaster_data import ForecasterData

INTERVALS = ((0.1, 0.9), (0.05, 0.95))  # whose coverage is measured: those of 80 and 90 %


def judged(data: ForecasterData, networks: NDArray[np.float64], disagreement: float = 0.0) -> Recipe:
    """The recipe after calibration on the left-out windows, with the figures that these give.

    Weights and widths are those that all left-out windows ask for. For the figures, what each member left out is
    forecast with the weights and widths that the others' windows ask for, and the references learned from these too
    (`fit_references`), so that no window judges itself. Where the best naive forecast is better, the recipe is that of
    the naive forecast alone.

    Args:
        data: the windows.
        networks: float64 (left-out windows, horizon, levels), the members' forecasts in scales, member by member.
        disagreement: the mean squared distance of the members' medians from their mean, in scales.
    """
    judge = _Judge(data, data.left_out, disagreement)
    errors = judge.naive_errors()
    best = min(errors, key=lambda name: errors[name])
    found = judge.measured(data.recipe, judge.windows, networks, best, errors[best])
    if found.gain is not None and found.gain > 0:
        return found
    alone, windows = judge.naive_alone(best)
    return replace(judge.measured(alone, windows, None, best, errors[best]), gain=found.gain)


def judged_forecasts(
    data: ForecasterData,
    left_out: Sequence[NDArray[np.int64]],
    networks: NDArray[np.float64],
    disagreement: float,
    trained: Recipe,
) -> NDArray[np.float64]:
    """The forecasts by which a trained forecaster is judged: float64 (left-out windows, horizon, levels).

    Args:
        data: the windows.
        left_out: for each member the windows that it left out, or some of them.
        networks: float64 (left-out windows, horizon, levels), the members' forecasts in scales, member by member.
        disagreement: as in :func:`judged`.
        trained: the recipe of :func:`judged`.
    """
    judge = _Judge(data, left_out, disagreement)
    if trained.gain is not None and trained.gain > 0:
        return judge.forecast(data.recipe, judge.windows, networks)
    alone, windows = judge.naive_alone(trained.naive)
    return judge.forecast(alone, windows, None)


class _Judge:
    """Left-out windows, with what was observed in them."""

    def __init__(self, data: ForecasterData, left_out: Sequence[NDArray[np.int64]], disagreement: float) -> None:
        self.data, self.disagreement = data, disagreement
        self.rows = np.concatenate(left_out)
        self.recency = data.recency[self.rows]
        self.windows, self.actual = data.windows.without_inputs().take(self.rows), data.actual[self.rows]
        owners = np.repeat(np.arange(len(left_out)), [len(rows) for rows in left_out])
        self.blocks = [owners == member for member in range(len(left_out))]
        self.true = self._exact(self.actual)
        self.seen = np.isfinite(self.true)
        size = np.where(self.seen, np.abs(self.true), 0.0).sum(axis=1) / np.maximum(self.seen.sum(axis=1), 1)
        usual = _means(size, data.places.which[self.rows])
        size = np.maximum(size, usual)  # series of all sizes count alike, and what they grow to; quiet times do not
        self.unit = np.where(size > 0, size, 1.0)[:, None]

    def _exact(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values in the units of the target."""
        return inverted(values, self.windows.transforms)

    def _error(self, forecast: NDArray[np.float64]) -> float:
        """The mean absolute error of (windows, horizon), in parts of each window's size."""
        errors = np.abs(forecast - self.true) / self.unit
        return float(errors[self.seen].mean()) if self.seen.any() else 0.0

    def naive_errors(self) -> dict[str, float]:
        """The errors of the naive forecasts, by name."""
        found = self.data.reader.references(self.data.places.take(self.rows))
        return {name: self._error(self._exact(values)) for name, values in found.items() if is_naive(name)}

    def measured(
        self, recipe: Recipe, windows: EncodedWindows, networks: NDArray[np.float64] | None, naive: str, error: float
    ) -> Recipe:
        """The calibrated recipe with its figures on left-out windows, beside a naive forecast of that error."""
        whole = calibrated(recipe, windows, networks, self.actual, self.disagreement, self.recency)
        forecast = self.forecast(recipe, windows, networks)
        gain = 1 - self._error(forecast[..., recipe.median]) / error if error > 0 else 0.0
        levels = recipe.levels
        coverage = tuple(
            self._share_between(forecast[..., levels.index(low)], forecast[..., levels.index(high)])
            for low, high in INTERVALS
        )
        return replace(whole, naive=naive, gain=gain, coverage=coverage, left_out=int(self.seen.sum()))

    def forecast(
        self, recipe: Recipe, windows: EncodedWindows, networks: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """The forecasts of all windows, each block's calibrated on the other blocks, or on itself if it is alone."""
        forecast = np.empty((*self.actual.shape, len(recipe.levels)))
        for own in self.blocks:
            hidden = own & (len(self.blocks) > 1)
            actual, recency = np.where(hidden[:, None], np.nan, self.actual), np.where(hidden, 0.0, self.recency)
            found = calibrated(recipe, windows, networks, actual, self.disagreement, recency)
            quantiles = np.zeros_like(forecast[own]) if networks is None else networks[own]
            forecast[own] = windows.take(np.flatnonzero(own)).decode(quantiles, found)
        return forecast

    def _share_between(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
        """The share of observed values between two quantiles, (windows, horizon) each."""
        inside = (low <= self.true) & (self.true <= high)
        return float(inside[self.seen].mean()) if self.seen.any() else 0.0

    def naive_alone(self, naive: str) -> tuple[Recipe, EncodedWindows]:
        """The recipe of a naive forecast without networks, and the left-out windows as it forecasts them."""
        data = self.data
        found = data.reader.references(data.places)
        weights = tuple(tuple(float(name == naive) for name in found) for _ in data.recipe.reference_weights)
        base = combine(np.stack(list(found.values())), np.array(weights))
        windows = replace(data.windows.without_inputs(), base=base, shift=np.zeros(base.shape))
        quantiles = reference_quantiles(windows, data.actual, data.recipe)
        without = replace(data.recipe, linear_weights=(), linear_memory=0, blend_weights=())
        alone = replace(without, reference_weights=weights, reference_quantiles=quantiles, network_weight=0.0)
        return alone, windows.take(self.rows)


def _means(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of each value's group, (values,)."""
    count = np.bincount(groups)
    return np.asarray((np.bincount(groups, values) / np.maximum(count, 1))[groups])
