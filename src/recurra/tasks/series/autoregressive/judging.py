"""What left-out data say of an autoregressive forecaster: its gain over naive forecasts, and its coverage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from recurra.series.backtest import backtest
from recurra.series.seasons import find_periods

if TYPE_CHECKING:
    from recurra.runtime.paths import PathSampler
    from recurra.series.autoregressive.recipe import AutoregressiveRecipe
    from recurra.series.panel import Panel

NOTHING = 1e-9  # of a scaled error: the series follows the naive forecast


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
    seasons = (period for period in find_periods(panel.target, panel.frequency.periods) if period > 1)
    tested = backtest(sampler.forecast, panel, recipe.horizon, 1, period=next(seasons, 1))
    own, best = tested.measures(), tested.best_naive()
    if best is None:
        return recipe
    error = float(tested.measures(best).mase)
    gain = None if error < NOTHING else 1 - float(own.mase) / error
    coverage = float(own.coverage80), float(own.coverage90)
    return replace(recipe, naive=best, gain=gain, coverage=coverage, left_out=int(own.count))
