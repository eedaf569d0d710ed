"""``PathSampler``: sample paths of an autoregressive network, drawn step by step."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError, RunError
from recurra.runtime.model import Model
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.autoregressive.windows import StepReader, StepWindows, inputs_of
from recurra.series.forecast import LEVELS, SAMPLES, Forecast
from recurra.series.likelihoods import NUMPY, Array, check_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.panel import Panel

MOST_PATHS = 20_000  # that are drawn side by side
MOST_VALUES = 1_000_000  # of windows that are scored at a time


class PathSampler:
    """An autoregressive forecaster without torch (Salinas et al. 2020, section 3).

    The network reads the context of each series once. From its last state paths are drawn: a step's value is drawn from
    the distribution that the network gives, and is what the path's next step reads. So the values of a path belong
    together, and the sum of a path is a draw of the sum.

    A missing value inside a series is replaced by the mean that the network forecasts for it. What is drawn below
    the recipe's least value is given as that.

    Args:
        model: the network; its output is the likelihood's parameters, before their functions.
        recipe: the lengths, lags and inputs.

    Raises:
        RecurraError: the model takes or gives another number of features than the recipe needs.
    """

    def __init__(self, model: Model, recipe: AutoregressiveRecipe) -> None:
        self.model, self.recipe = model, recipe
        interface = model.layout.interface
        expected = recipe.inputs, recipe.distribution.outputs
        if (interface.input_size, interface.output_size) != expected or interface.batch_first or interface.is_cell:
            raise RecurraError(f"the recipe needs a network from {expected[0]} features to {expected[1]}, time first")

    def forecast(self, panel: Panel, horizon: int | None = None, *, samples: int = SAMPLES, seed: int = 0) -> Forecast:
        """The quantiles of sample paths; see :meth:`paths`.

        Returns:
            The forecast of the steps after each series' end.
        """
        steps = self._steps(panel, horizon)
        quantiles = np.empty((len(panel), steps, len(LEVELS)))
        for rows, paths in self._parts(panel, steps, samples, seed):
            quantiles[rows] = np.quantile(paths, LEVELS, axis=1).transpose(1, 2, 0)
        return Forecast(panel.ids, panel.starts + panel.lengths, LEVELS, quantiles)

    def paths(
        self, panel: Panel, horizon: int | None = None, *, samples: int = SAMPLES, seed: int = 0
    ) -> NDArray[np.float64]:
        """Draw sample paths of the steps after each series' end.

        The draws of a series depend on the seed, its name, its end and its values alone: not on other series.

        Args:
            panel: the series, with known inputs for all steps that are forecast.
            horizon: the number of steps. Default: the recipe's.
            samples: the number of paths of each series. Default 200.
            seed: the seed of the draws. Default 0.

        Returns:
            float64 (series, samples, horizon), in units of the target.

        Raises:
            RunError: a series has no observed value, or one that its likelihood excludes; known inputs end too early;
                or the network's output, or a path, is not finite.
        """
        steps = self._steps(panel, horizon)
        drawn = np.empty((len(panel), samples, steps))
        for rows, paths in self._parts(panel, steps, samples, seed):
            drawn[rows] = paths
        return drawn

    def log_likelihood(self, panel: Panel, steps: int) -> NDArray[np.float64]:
        """The logarithm of the density of each of a series' last values, given all values before it.

        The more negative, the more surprising was the value. For counts it is that of the probability.

        Args:
            panel: the series.
            steps: the number of last values; at most one less than the shortest series has.

        Returns:
            float64 (series, steps), by units of the target; NaN where nothing was observed.

        Raises:
            RunError: a series is too short, has no observed value before them, or one that its likelihood excludes.
        """
        origins = panel.lengths - steps
        if steps < 1 or (origins < 1).any():
            raise RunError(f"{steps} last values must be at least 1, and fewer than the shortest series has")
        self._check(panel.until(origins), 0)
        check_values(self.recipe.distribution, panel.ids, panel.target)
        scores = np.empty((len(panel), steps))
        size = max(1, MOST_VALUES // (self.recipe.inputs * (self.recipe.context + steps)))
        reader = StepReader(panel, self.recipe)
        for rows in _chunks(len(panel), size):
            windows = reader.windows(rows, origins[rows], steps)
            raw, _, values = self._read(windows, steps)
            scores[rows] = self._density(windows, raw[-steps:], values[:, -steps:])
        scores[np.stack([np.isnan(values[-steps:]) for values in panel.target])] = np.nan
        return scores

    def _steps(self, panel: Panel, horizon: int | None) -> int:
        """The number of steps to forecast, after all checks."""
        steps = self.recipe.horizon if horizon is None else horizon
        if steps < 1:
            raise RunError(f"the horizon must be a whole number from 1; got {steps}")
        self._check(panel, steps)
        return steps

    def _check(self, panel: Panel, ahead: int) -> None:
        for name, values, known in zip(panel.ids, panel.target, panel.known, strict=True):
            if not (~np.isnan(values)).any():
                raise RunError(f"series {name!r} has no observed value: leave it out")
            if self.recipe.known_means and len(known) < len(values) + ahead:
                there = max(0, len(known) - len(values))
                raise RunError(f"series {name!r} has known inputs for {there} of {ahead} steps ahead: give the others")
        check_values(self.recipe.distribution, panel.ids, panel.target)

    def _parts(
        self, panel: Panel, steps: int, samples: int, seed: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """The paths of some series at a time: their numbers, and (series, samples, steps)."""
        if samples < 1:
            raise RunError(f"the number of sample paths must be a whole number from 1; got {samples}")
        reader = StepReader(panel, self.recipe)
        at_once = min(MOST_PATHS // samples, MOST_VALUES // (self.recipe.inputs * (self.recipe.context + steps)))
        for rows in _chunks(len(panel), max(1, at_once)):
            ends = panel.lengths[rows]
            generators = [
                np.random.default_rng([seed, zlib.crc32(panel.ids[row].encode()), int(panel.starts[row] + end)])
                for row, end in zip(rows, ends, strict=True)
            ]
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
                windows = reader.windows(rows, ends, steps)
                _, state, values = self._read(windows, 0)
                scaled = self._draw(windows, values[:, : self.recipe.reach], state, samples, generators)
                paths = windows.offset[:, None, None] + windows.scale[:, None, None] * scaled
            wrong = np.flatnonzero(~np.isfinite(paths).all((1, 2)))
            if wrong.size:
                name = panel.ids[rows[wrong[0]]]
                raise RunError(f"the forecast of series {name!r} is not finite: its values are too large")
            yield rows, paths if self.recipe.least is None else np.maximum(paths, self.recipe.least)

    def _read(self, windows: StepWindows, ahead: int) -> tuple[Array, Any, NDArray[np.float64]]:
        """Read the context and `ahead` steps after it.

        Returns:
            The network's outputs (context + ahead, windows, outputs), its last state, and the values with missing ones
            filled, (windows, steps).
        """
        lead, steps = self.recipe.lags[-1], self.recipe.context + ahead
        values = windows.values.copy()
        is_missing = (np.isnan(values) & windows.is_inside)[:, lead : lead + steps]
        values[np.isnan(values)] = self.recipe.blank
        if not is_missing.any():
            outputs, state = self.model(inputs_of(self.recipe, windows, values)[:steps])
            return outputs, state, values
        parts, state = [], None
        for step in range(steps):
            output, state = self.model(self._inputs_at(windows, values, step), state)
            parts.append(output)
            values[:, lead + step] = np.where(
                is_missing[:, step], self._mean(windows, output[0]), values[:, lead + step]
            )
        return np.concatenate(parts), state, values

    def _inputs_at(self, windows: StepWindows, values: NDArray[np.float64], step: int) -> NDArray[np.float32]:
        """The inputs of one step of all windows, (1, windows, inputs)."""
        places = self.recipe.lags[-1] + step - np.array(self.recipe.lags)
        return np.concatenate([values[:, places].astype(np.float32), windows.covariates[step]], 1)[None]

    def _parameters(self, raw: Array, scale: NDArray[np.float64]) -> tuple[Array, ...]:
        """The parameters for outputs (…, outputs) of series with these scales (…).

        Raises:
            RunError: an output is not finite.
        """
        if not np.isfinite(raw).all():
            raise RunError("the network's output is not finite: its weights are damaged, or its training failed")
        return self.recipe.distribution.parameters(raw.astype(np.float64), scale, NUMPY)

    def _mean(self, windows: StepWindows, raw: Array) -> NDArray[np.float64]:
        """The scaled mean that is forecast by outputs (windows, outputs)."""
        mean = self._parameters(raw, windows.scale)[0]
        return np.asarray(mean / windows.scale if self.recipe.distribution.is_of_counts else mean)

    def _density(self, windows: StepWindows, raw: Array, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logarithms of the densities of values (windows, steps), by units of the target."""
        likelihood, parameters = self.recipe.distribution, self._parameters(raw, windows.scale)
        if likelihood.is_of_counts:
            counts = np.round(scaled.T * windows.scale)
            return np.asarray(likelihood.log_density(counts, parameters, NUMPY).T)
        return np.asarray((likelihood.log_density(scaled.T, parameters, NUMPY) - np.log(windows.scale)).T)

    def _draw(
        self,
        windows: StepWindows,
        history: NDArray[np.float64],
        state: Any,
        samples: int,
        generators: list[np.random.Generator],
    ) -> NDArray[np.float64]:
        """Draw scaled paths after a context that was read: (windows, samples, steps).

        Args:
            windows: the windows.
            history: the values that were read, (windows, reach).
            state: the network's state after the context.
            samples: the number of paths of each window.
            generators: one for each window.
        """
        likelihood, context = self.recipe.distribution, self.recipe.context
        count, steps = len(history), len(windows.covariates) - context
        scale = windows.scale[:, None]
        state = _repeated(state, samples)
        drawn = np.empty((count, samples, steps))
        inputs = np.empty((count, samples, self.recipe.inputs), np.float32)
        for step in range(steps):
            for place, lag in enumerate(self.recipe.lags):
                earlier = drawn[:, :, step - lag] if lag <= step else history[:, step - lag, None]
                inputs[:, :, place] = earlier
            inputs[:, :, len(self.recipe.lags) :] = windows.covariates[context + step][:, None]
            raw, state = self.model(inputs.reshape(1, count * samples, -1), state)
            parameters = self._parameters(raw.reshape(count, samples, -1), scale)
            for row, generator in enumerate(generators):
                drawn[row, :, step] = likelihood.draw(tuple(each[row] for each in parameters), generator)
            if likelihood.is_of_counts:
                drawn[:, :, step] /= scale
        return drawn


def _chunks(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, count, size):
        yield np.arange(first, min(first + size, count))


def _repeated(state: Any, times: int) -> Any:
    """A state with each sequence of its batch so many times in a row."""
    if isinstance(state, tuple):
        return tuple(_repeated(each, times) for each in state)
    return np.repeat(state, times, axis=1)
