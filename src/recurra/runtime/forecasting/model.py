"""``ForecastModel``: a trained forecaster, which forecasts panels of time series."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import FileFormatError, RunError
from recurra.model import Description, write
from recurra.runtime.forecasting.checks import check_panel, named
from recurra.runtime.forecasting.networks import Networks
from recurra.runtime.forecasting.stream import ForecastStream
from recurra.series.forecast import Forecast
from recurra.series.panel import Panel, make_panel
from recurra.series.recipe import Recipe
from recurra.series.windows import SeriesReader, network_quantiles

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from recurra.series.references import Windows

_NUMBERS = 2**21  # features, or values of states, of all windows that run at a time: some tens of megabytes
_LEAST = 64  # numbers that a step of a window stands for at least
MAX_NUMBERS = 2**26  # features of one window


class ForecastModel:
    """A trained forecaster, without torch: ``forecast = model.forecast(panel)``.

    It holds no state, and several threads may use it at the same time.

    Args:
        description: the networks and their weights, with the annotation ``"forecaster"``.

    Attributes:
        description: the networks and their weights.
        recipe: what the forecaster knows besides.

    Raises:
        FileFormatError: the model is no forecaster, or its networks do not take what its recipe makes of series.
    """

    def __init__(self, description: Description) -> None:
        recipe = description.annotations.get("forecaster")
        if not isinstance(recipe, Recipe):
            raise FileFormatError("it holds no forecaster")
        self.description, self.recipe = description, recipe
        self._networks = Networks(description)
        self._check_fit()

    def _check_fit(self) -> None:
        """Refuse networks that do not take what the recipe makes of series."""
        recipe = replace(self.recipe, context=1, linear_weights=(), linear_memory=0, blend_weights=())
        reader = SeriesReader(_example(recipe), recipe)
        rules, weights = len(reader.references(reader.ends())), len(recipe.reference_weights[0])
        if rules != weights:
            raise FileFormatError(f"the forecaster's reference_weights must be of {rules} references, not {weights}")
        encoded = reader.encode(reader.ends())
        made = encoded.past.shape[2], encoded.future.shape[2]
        for what, number, taken in zip(("encoder", "decoder"), made, self._networks.inputs, strict=True):
            if taken not in (None, number):
                raise FileFormatError(f"the forecaster's {what}s take {taken} features; its recipe makes {number}")
        numbers = (self.recipe.context + recipe.horizon) * max(_LEAST, *made)
        if numbers > MAX_NUMBERS:
            raise FileFormatError(f"a window of the forecaster has {numbers} numbers; at most {MAX_NUMBERS} are read")
        self._at_once = max(1, _NUMBERS // numbers)

    def forecast(self, panel: Panel, horizon: int | None = None) -> Forecast:
        """Forecast what comes after the end of each series.

        Args:
            panel: the series, of the frequency and the inputs that the forecaster was trained with; the known inputs
                reach as far ahead as the forecaster's horizon.
            horizon: the number of steps to forecast. Default: the forecaster's horizon, which is the most.

        Raises:
            RunError: the horizon is too long; the panel has another frequency or other inputs; nothing of a series was
                observed, or a value is infinite; known inputs end too early; or the forecast is not finite. The
                message names the series.
        """
        most = self.recipe.horizon
        if horizon is not None and not 1 <= horizon <= most:
            raise RunError(f"the forecaster forecasts 1 to {most} steps; got {horizon}")
        self.check(panel)
        steps, recipe = horizon or most, self.recipe
        reader = SeriesReader(panel, recipe)
        ends = reader.ends()
        quantiles = np.empty((len(panel), steps, len(recipe.levels)))
        for begin in range(0, len(panel), self._at_once):
            part = slice(begin, begin + self._at_once)
            quantiles[part] = self._quantiles(reader, ends.take(part))[:, :steps]
        wrong = np.flatnonzero(~np.isfinite(quantiles).all((1, 2)))
        if wrong.size:
            raise RunError(f"the forecast of {named(panel, wrong[0])} is not finite: its values are too large")
        return Forecast(panel.ids, panel.starts + panel.lengths, recipe.levels, quantiles)

    def _quantiles(self, reader: SeriesReader, windows: Windows) -> NDArray[np.float64]:
        """The quantiles of some windows, (windows, horizon, levels), in the units of the target."""
        recipe, encoded = reader.recipe, reader.encode(windows)
        networks = np.zeros((*encoded.base.shape, len(recipe.levels)))
        if recipe.network_weight > 0:
            for outputs in self._networks(encoded.past, encoded.future):
                networks += network_quantiles(outputs, recipe.median)
            networks /= recipe.members
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            return encoded.decode(networks, recipe)

    def check(self, panel: Panel, ahead: int | None = None) -> None:
        """Refuse a panel that the forecaster cannot forecast.

        Args:
            panel: the series.
            ahead: the number of steps that known inputs must reach ahead. Default: the forecaster's horizon.

        Raises:
            RunError: as ``forecast``.
        """
        check_panel(panel, self.recipe, ahead or self.recipe.horizon)

    def stream(self, history: Panel | ArrayLike | None = None, horizon: int = 1, start: int = 0) -> ForecastStream:
        """A new stream, which takes an observation at a time and gives the next forecast.

        Args:
            history: the values observed so far, (steps,), NaN where nothing was; or a panel of one series, with inputs
                and categories, whose known inputs reach as far ahead as ``horizon``. Default: none; the first forecast
                follows the first value.
            horizon: the number of steps of each forecast. Default 1; each further one takes some time.
            start: the position of the first value on the forecaster's grid of times; a panel says it itself. Default 0.

        Raises:
            RunError: as ``forecast``; or there are several series; or a decoder reads later steps, and so needs the
                forecaster's whole horizon.
        """
        most, is_new = self.recipe.horizon, history is None
        if not 1 <= horizon <= most:
            raise RunError(f"the forecaster forecasts 1 to {most} steps; got {horizon}")
        if horizon < most and not self._networks.is_forward:
            raise RunError(f"a decoder of the forecaster reads later steps: a stream needs horizon={most}")
        if not isinstance(history, Panel):
            values = np.asarray([] if history is None else history, np.float64)
            if values.ndim != 1:
                raise RunError(f"the history must be (steps,); got {values.shape}")
            history = make_panel([values], self.recipe.frequency, starts=np.array([start], np.int64))
        self._check_stream(history, horizon, is_new)
        return ForecastStream(self, self._networks, history, horizon)

    def _check_stream(self, history: Panel, horizon: int, is_new: bool) -> None:
        """Refuse a history that a stream cannot go on from; one without any values can be new."""
        recipe = self.recipe
        if is_new and (recipe.known or recipe.past or recipe.categories):
            raise RunError("a stream with inputs or static columns needs a history: a panel of one series")
        if len(history) != 1:
            raise RunError(f"a stream is of one series; the history has {len(history)}")
        if not is_new:
            self.check(history, horizon)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the forecaster to a file, in one step.

        Raises:
            FileFormatError: the file cannot be written.
        """
        write(self.description, path)

    def __repr__(self) -> str:
        recipe = self.recipe
        return f"<ForecastModel of {recipe.horizon} steps ({recipe.frequency.name}); {recipe.members} networks>"


def _example(recipe: Recipe) -> Panel:
    """A series of one value, with the inputs that a recipe takes."""
    return Panel(
        ids=("",),
        starts=np.zeros(1, np.int64),
        target=(np.ones(1),),
        known=(np.zeros((1 + recipe.horizon, len(recipe.known))),),
        past=(np.zeros((1, len(recipe.past))),),
        static=np.zeros((1, len(recipe.categories)), np.int64),
        frequency=recipe.frequency,
    )
