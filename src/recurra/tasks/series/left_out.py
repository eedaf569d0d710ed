"""The forecasts of data that a trained forecaster left out of its training, as a backtest; needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.runtime.forecasting import AutoregressiveModel, ForecastModel
from recurra.runtime.forecasting.networks import Networks
from recurra.series.backtest import Backtest, collected
from recurra.series.forecast import LEVELS
from recurra.series.windows import FURTHEST, network_quantiles
from recurra.tasks.series.autoregressive.judging import are_left_out, left_out_backtest
from recurra.tasks.series.backtesting import period_of
from recurra.tasks.series.forecaster_data import ForecasterData
from recurra.tasks.series.judging import judged_forecasts
from recurra.tasks.series.settings import SeriesSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.runtime.forecasting import AnyForecaster
    from recurra.tasks.series.models import AnySettings
    from recurra.tasks.series.opening import OpenedTable

MOST_VALUES = 12_000  # that are forecast again; more take seconds
MOST_SERIES = 32  # whose sample paths are drawn again


def forecasts_of_left_out(
    model: AnyForecaster, opened: OpenedTable, settings: AnySettings, data: ForecasterData | None = None
) -> Backtest | None:
    """Forecast again what a forecaster left out of its training; of much data an evenly spread part.

    Args:
        model: the trained forecaster.
        opened: the table that it was trained on.
        settings: its settings.
        data: its windows, if they are at hand. Default: they are made again.

    Returns:
        The forecasts beside what came and the naive ones; None if nothing was left out.
    """
    if isinstance(model, AutoregressiveModel):
        rows = np.flatnonzero(are_left_out(opened.panel, model.recipe.horizon))
        if not len(rows):
            return None
        return left_out_backtest(model.forecast, opened.panel.take(_spread(rows, MOST_SERIES)), model.recipe.horizon)
    if not isinstance(settings, SeriesSettings) or model.recipe.levels != LEVELS:
        return None
    if data is None:
        data = ForecasterData(opened.panel, settings, opened.names, opened.least, opened.form)
    return _direct(model, opened, data)


def _direct(model: ForecastModel, opened: OpenedTable, data: ForecasterData) -> Backtest:
    most = max(1, MOST_VALUES // (model.recipe.horizon * len(data.left_out)))
    left_out = [_spread(rows, most) for rows in data.left_out]
    networks, median = Networks(model.description), model.recipe.median
    past, future = data.windows.past, data.windows.future
    outputs = [networks.run(place, past[:, rows], future[:, rows]) for place, rows in enumerate(left_out)]
    own = np.concatenate([network_quantiles(each, median) for each in outputs])
    medians = np.stack([each[..., median] for each in networks(data.unseen.past, data.unseen.future)])
    disagreement = float(medians.clip(-FURTHEST, FURTHEST).astype(np.float64).var(axis=0).mean())
    quantiles = judged_forecasts(data, left_out, own, disagreement, model.recipe)
    places = data.places.take(np.concatenate(left_out))
    return collected(opened.panel, places.which, places.origins, quantiles, period_of(opened))


def _spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of the rows, evenly spread."""
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]
