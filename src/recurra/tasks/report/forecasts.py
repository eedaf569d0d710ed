"""The forecasts of a run's own table, for its report: what comes next, or the last steps beside what came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError
from recurra.series.backtest import MODEL, Backtest, backtest
from recurra.series.naive import naive_forecasts
from recurra.series.units import steps_in_words
from recurra.tasks.series.backtesting import period_of
from recurra.tasks.series.drawing import times_of
from recurra.tasks.series.opening import OpenedTable, open_to_forecast
from recurra.tasks.series.picture.chart import Chart, Fan

if TYPE_CHECKING:
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.series.panel import Panel

MOST_CHARTS = 3
MOST_STEPS = 400  # of a forecast that are drawn
PAST = 240  # steps before a forecast that are drawn
MOST_PLACES = 900  # steps of all charts together; each takes some 110 bytes of a page


@dataclass(frozen=True)
class DrawnForecasts:
    """Charts of forecasts, and what they show in a sentence.

    Attributes:
        sentence: what they show.
        charts: a chart for each of the first series.
        naive: the name of the naive forecast beside them; empty for none.
    """

    sentence: str
    charts: tuple[Chart, ...]
    naive: str


def drawn_forecasts(model: AnyForecaster, opened: OpenedTable) -> DrawnForecasts:
    """Draw the forecasts of the first series of a table.

    Args:
        model: the trained forecaster.
        opened: the table that it was trained on.

    Raises:
        RunError: the series cannot be forecast.
    """
    recipe = model.recipe
    try:
        panel = _ahead(model, opened)
    except RunError:
        return _last_steps(model, opened)
    made = model.forecast(panel, recipe.horizon)
    naive = naive_forecasts(panel, recipe.horizon, period_of(opened)).get(recipe.naive)
    charts = []
    for row in range(len(panel)):
        beside = None if naive is None else naive.median[row, :MOST_STEPS]
        fan = Fan(int(made.positions[row]), made.levels, made.quantiles[row, :MOST_STEPS], beside)
        charts.append(_chart(panel, row, fan, opened))
    steps = steps_in_words(opened.form.frequency.name, recipe.horizon)
    return DrawnForecasts(
        f"The next {steps}{_cut(recipe.horizon)}{_some(opened, recipe.horizon)}.",
        tuple(charts),
        recipe.naive if naive else "",
    )


def _ahead(model: AnyForecaster, opened: OpenedTable) -> Panel:
    """The first series, with their known inputs ahead.

    Raises:
        RunError: known inputs do not reach far enough.
    """
    if model.recipe.known:
        opened = open_to_forecast(opened.table, opened.form, model.recipe.horizon, _quiet)
    return _few(opened.panel, model.recipe.horizon)


def _last_steps(model: AnyForecaster, opened: OpenedTable) -> DrawnForecasts:
    """The last steps of the first series, forecast from before them: known inputs end with the table."""
    horizon = model.recipe.horizon
    panel = _few(opened.panel, horizon)
    tested = backtest(lambda each: model.forecast(each, horizon), panel, horizon, 1, period=period_of(opened))
    steps = steps_in_words(opened.form.frequency.name, horizon)
    sentence = (
        f"The last {steps}{_cut(horizon)} of the table{_some(opened, horizon)}, as its known inputs end there. "
        "The model learned from these steps too, so that this flatters it."
    )
    return drawn_backtest(tested, opened, sentence)


def drawn_backtest(tested: Backtest, opened: OpenedTable, sentence: str) -> DrawnForecasts:
    """Draw the first series of a backtest from one origin, beside what came.

    Args:
        tested: the backtest of the first series of a table.
        opened: the table.
        sentence: what is shown.
    """
    beside = tested.best_naive()
    rows = np.flatnonzero(tested.origins[: _most(tested.actual.shape[2]), 0] > 0).tolist()
    charts = tuple(_chart(opened.panel, row, _fan(tested, row, beside), opened) for row in rows)
    return DrawnForecasts(sentence, charts, beside or "")


def _fan(tested: Backtest, row: int, beside: str | None) -> Fan:
    median = tested.levels.index(0.5)
    naive = None if beside is None else tested.quantiles[beside][row, 0, :MOST_STEPS, median]
    return Fan(int(tested.positions[row, 0]), tested.levels, tested.quantiles[MODEL][row, 0, :MOST_STEPS], naive)


def _chart(panel: Panel, row: int, fan: Fan, opened: OpenedTable) -> Chart:
    begin = max(int(panel.starts[row]), fan.start - PAST)
    first, last = (place - int(panel.starts[row]) for place in (begin, fan.start + len(fan.quantiles)))
    values = panel.target[row][first:last]
    return Chart(panel.ids[row], begin, values, (fan,), panel.frequency, times_of(opened.form))


def _few(panel: Panel, horizon: int) -> Panel:
    """The first series, as many as there is room for."""
    return panel.take(np.arange(min(len(panel), _most(horizon))))


def _most(horizon: int) -> int:
    """The most charts of forecasts of so many steps."""
    return max(1, min(MOST_CHARTS, MOST_PLACES // (PAST + min(horizon, MOST_STEPS))))


def _cut(horizon: int) -> str:
    return f" (of which {MOST_STEPS} are drawn)" if horizon > MOST_STEPS else ""


def _some(opened: OpenedTable, horizon: int) -> str:
    count, most = len(opened.panel), _most(horizon)
    return f", for the first {most} of {count:,} series" if count > most else ""


def _quiet(_: str) -> None:
    """Say nothing: the training has said it."""
