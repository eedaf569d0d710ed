"""``AutoregressiveModel``: a trained autoregressive forecaster, which draws sample paths of time series."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from recurra.errors import FileFormatError, RunError
from recurra.model import Description, write
from recurra.runtime.forecasting.checks import check_panel
from recurra.runtime.model import Model
from recurra.runtime.paths import PathSampler
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.forecast import SAMPLES
from recurra.series.rules import MAX_HORIZON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recurra.series.forecast import Forecast
    from recurra.series.panel import Panel


class AutoregressiveModel:
    """A trained autoregressive forecaster, without torch: ``paths = model.paths(panel)``.

    It holds no state, and several threads may use it at the same time.

    Args:
        description: the network and its weights, with the annotation ``"autoregressive"``.

    Attributes:
        description: the network and its weights.
        recipe: what the forecaster knows besides.

    Raises:
        FileFormatError: the model is no autoregressive forecaster.
    """

    def __init__(self, description: Description) -> None:
        recipe = description.annotations.get("autoregressive")
        if not isinstance(recipe, AutoregressiveRecipe):
            raise FileFormatError("it holds no autoregressive forecaster")
        self.description, self.recipe = description, recipe
        self._sampler = PathSampler(Model(description), recipe)

    def forecast(self, panel: Panel, horizon: int | None = None) -> Forecast:
        """Forecast what comes after the end of each series: the quantiles of 200 sample paths, which never change.

        Args:
            panel: the series, of the frequency and the inputs that the forecaster was trained with; the known inputs
                reach as far ahead as the forecast.
            horizon: the number of steps to forecast. Default: the forecaster's horizon.

        Raises:
            RunError: as :meth:`paths`.
        """
        return self._sampler.forecast(panel, self._checked(panel, horizon))

    def paths(
        self, panel: Panel, horizon: int | None = None, samples: int = SAMPLES, seed: int = 0
    ) -> NDArray[np.float64]:
        """Draw sample paths of what comes after the end of each series.

        The values of a path belong together, so that the sum of a path is a draw of the sum. The draws of a series
        depend on the seed, its name, its end and its values alone.

        Args:
            panel: the series, as for :meth:`forecast`.
            horizon: the number of steps. Default: the forecaster's horizon.
            samples: the number of paths of each series. Default 200.
            seed: the seed of the draws. Default 0.

        Returns:
            float64 (series, samples, horizon), in the units of the target.

        Raises:
            RunError: the horizon or the number of paths is out of range; the panel has another frequency or other
                inputs; nothing of a series was observed, or a value is infinite, or none that the likelihood has; or
                known inputs end too early. The message names the series.
        """
        return self._sampler.paths(panel, self._checked(panel, horizon), samples=samples, seed=seed)

    def log_likelihood(self, panel: Panel, steps: int) -> NDArray[np.float64]:
        """The logarithm of the density of each of a series' last values, given all values before it.

        The more negative, the more surprising was the value. For counts it is that of the probability.

        Args:
            panel: the series, as for :meth:`forecast`.
            steps: the number of last values; at most one less than the shortest series has.

        Returns:
            float64 (series, steps), by units of the target; NaN where nothing was observed.

        Raises:
            RunError: a series is too short; or as :meth:`paths`.
        """
        check_panel(panel, self.recipe, 0)
        return self._sampler.log_likelihood(panel, steps)

    def check(self, panel: Panel) -> None:
        """Refuse a panel that the forecaster cannot forecast.

        Raises:
            RunError: as :meth:`paths`.
        """
        check_panel(panel, self.recipe, self.recipe.horizon)

    def _checked(self, panel: Panel, horizon: int | None) -> int:
        """The number of steps to forecast, after all checks."""
        steps = self.recipe.horizon if horizon is None else horizon
        if not 1 <= steps <= MAX_HORIZON:
            raise RunError(f"the forecaster forecasts 1 to {MAX_HORIZON} steps; got {steps}")
        check_panel(panel, self.recipe, steps)
        return steps

    def stream(self, history: object, start: int = 0) -> NoReturn:
        """Refuse to make a stream, which direct forecasters alone have.

        Raises:
            RunError: always.
        """
        raise RunError("an autoregressive forecaster has no stream: forecast a panel, or train a direct one")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the forecaster to a file, in one step.

        Raises:
            FileFormatError: the file cannot be written.
        """
        write(self.description, path)

    def __repr__(self) -> str:
        recipe = self.recipe
        return f"<AutoregressiveModel of {recipe.horizon} steps ({recipe.frequency.name}, {recipe.likelihood})>"
