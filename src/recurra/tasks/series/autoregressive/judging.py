"""What left-out data say of an autoregressive forecaster: its gain over naive forecasts, and its coverage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.backtest import Backtest, PanelForecaster, backtest
from recurra.series.seasons import find_periods

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.runtime.paths import PathSampler
    from recurra.series.autoregressive.recipe import AutoregressiveRecipe
    from recurra.series.panel import Panel

NOTHING = 1e-9  # of a scaled error: the series follows the naive forecast
LEAST_VALUES = 3  # observed ones of a series that can be learned from
LEAST_HORIZONS = 3  # that a series has of which the last one is left out


def are_left_out(panel: Panel, horizon: int) -> NDArray[np.bool_]:
    """Whether the last horizon of each series is left out of the training: (series,)."""
    before = np.array([np.count_nonzero(~np.isnan(values[:-horizon])) for values in panel.target], np.int64)
    return np.asarray((panel.lengths >= LEAST_HORIZONS * horizon) & (before >= LEAST_VALUES))


def left_out_backtest(forecaster: PanelForecaster, panel: Panel, horizon: int) -> Backtest:
    """The forecasts of the last horizon of series, beside what came and the naive ones.

    Args:
        forecaster: gives the forecasts.
        panel: series of which the last horizon was left out of the training, each of two horizons at least.
        horizon: the steps.
    """
    seasons = (period for period in find_periods(panel.target, panel.frequency.periods) if period > 1)
    return backtest(forecaster, panel, horizon, 1, period=next(seasons, 1))


def judged(sampler: PathSampler, panel: Panel) -> AutoregressiveRecipe:
    """The forecaster's recipe with its figures: by the mean absolute scaled error, beside the best naive forecast.

    Args:
        sampler: the forecaster.
        panel: the series of which the last horizon was left out of the training, each of two horizons at least; of no
            series nothing can be said.
    """
    recipe = sampler.recipe
    if not len(panel):
        return recipe
    tested = left_out_backtest(sampler.forecast, panel, recipe.horizon)
    own, best = tested.measures(), tested.best_naive()
    if best is None:
        return recipe
    error = float(tested.measures(best).mase)
    gain = None if error < NOTHING else 1 - float(own.mase) / error
    coverage = float(own.coverage80), float(own.coverage90)
    return replace(recipe, naive=best, gain=gain, coverage=coverage, left_out=int(own.count))
