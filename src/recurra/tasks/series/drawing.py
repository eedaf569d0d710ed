"""Pages of forecasts and of backtests: which series and which origins are drawn, and what is said about them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurra.page.parts import DataTable
from recurra.series.backtest import MODEL, Backtest
from recurra.series.forecast import Forecast
from recurra.series.naive import naive_forecasts
from recurra.series.results import fields_of, times_column
from recurra.series.units import steps_in_words
from recurra.tasks.series.backtesting import period_of
from recurra.tasks.series.picture.chart import Chart, Fan, TimesAsText
from recurra.tasks.series.picture.page import MOST_CHARTS, Page
from recurra.tasks.series.verdict import best_naive, rows_of, training_sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recurra.runtime.forecasting import AnyForecaster
    from recurra.series.metrics import Measures
    from recurra.series.panel import Panel
    from recurra.series.table_format import TableFormat
    from recurra.tasks.series.backtesting import BacktestReport
    from recurra.tasks.series.opening import OpenedTable


def page_of_forecast(
    panel: Panel,
    forecast: Forecast,
    times: TimesAsText,
    title: str,
    *,
    naive: tuple[str, Forecast] | None = None,
    sentences: Sequence[str] = (),
    measures: Mapping[str, Measures] | None = None,
) -> Page:
    """The page of a forecast after the end of each series.

    Args:
        panel: the series, at least the first fifty.
        forecast: their forecast.
        times: gives positions the times as the table writes them.
        title: the headline.
        naive: the name of a naive forecast, and that forecast; it is drawn too.
        sentences: what is to be said.
        measures: figures of left-out data beside the naive ones, for a table.
    """
    charts = []
    for row in range(min(len(panel), MOST_CHARTS)):
        beside = None if naive is None else naive[1].median[row]
        fan = Fan(int(forecast.positions[row]), forecast.levels, forecast.quantiles[row], beside)
        charts.append(Chart(panel.ids[row], int(panel.starts[row]), panel.target[row], (fan,), panel.frequency, times))
    return Page(
        title,
        tuple(charts),
        len(panel),
        sentences,
        _table("On data that was left out of the training", measures),
        "naive forecast" if naive is None else naive[0],
    )


def page_of_backtest(
    panel: Panel, tested: Backtest, times: TimesAsText, title: str, *, sentences: Sequence[str] = ()
) -> Page:
    """The page of a backtest: for each series the latest forecasts that do not overlap, and what came.

    Args:
        panel: the series of the backtest.
        tested: the backtest.
        times: gives positions the times as the table writes them.
        title: the headline.
        sentences: what is to be said.
    """
    named = {name: tested.measures(name) for name in tested.quantiles}
    beside = best_naive(named)
    drawn = np.flatnonzero((tested.origins > 0).any(1))
    charts = tuple(
        Chart(
            panel.ids[row],
            int(panel.starts[row]),
            panel.target[row],
            _fans(tested, row, beside),
            panel.frequency,
            times,
        )
        for row in drawn[:MOST_CHARTS].tolist()
    )
    count = int((tested.origins > 0).any(0).sum())
    steps = partial(steps_in_words, panel.frequency.name)
    caption = f"{steps(tested.actual.shape[2])} from {count} origin{'s' if count > 1 else ''}"
    caption += f", {steps(tested.step)} apart" if count > 1 else ""
    return Page(title, charts, len(drawn), sentences, _table(caption, named), beside or "naive forecast")


def page_of_trained(model: AnyForecaster, opened: OpenedTable, forecast: Forecast) -> Page:
    """The page of a trained model's forecast of a table, beside the naive forecast that was best on left-out data."""
    recipe, form = model.recipe, opened.form
    few = opened.panel.take(np.arange(min(len(opened.panel), MOST_CHARTS)))
    naive = naive_forecasts(few, recipe.horizon, period_of(opened)).get(recipe.naive)
    return page_of_forecast(
        opened.panel,
        forecast,
        times_of(form),
        f"{_target_of(form)}: the next {steps_in_words(form.frequency.name, recipe.horizon)}",
        naive=None if naive is None else (recipe.naive, naive),
        sentences=training_sentences(recipe),
    )


def page_of_report(report: BacktestReport) -> Page:
    """The page of a backtest's report."""
    form = report.opened.form
    steps = steps_in_words(form.frequency.name, report.tested.actual.shape[2])
    title = f"{_target_of(form)}: forecasts of {steps}, and what came"
    return page_of_backtest(report.opened.panel, report.tested, times_of(form), title, sentences=report.sentences)


def times_of(form: TableFormat) -> TimesAsText:
    """The function that gives positions the times as a table writes them."""

    return lambda positions: fields_of(times_column(form, positions))


def _target_of(form: TableFormat) -> str:
    name = f"{len(form.targets)} series" if form.is_wide else form.targets[0]
    return name[:1].upper() + name[1:]


def write_page(page: Page, path: Path) -> None:
    """Write a page to a file.

    Raises:
        RunError: the file cannot be written.
    """
    page.document().write(path)


def apart(positions: NDArray[np.int64], horizon: int) -> list[int]:
    """The places of the latest ascending positions that are at least a horizon apart; the last one is among them."""
    chosen: list[int] = []
    for place in range(len(positions) - 1, -1, -1):
        if not chosen or positions[chosen[-1]] - positions[place] >= horizon:
            chosen.append(place)
    return chosen[::-1]


def _fans(tested: Backtest, row: int, beside: str | None) -> tuple[Fan, ...]:
    there = np.flatnonzero(tested.origins[row] > 0)
    places = there[apart(tested.positions[row, there], tested.actual.shape[2])]
    return tuple(
        Fan(
            int(tested.positions[row, place]),
            tested.levels,
            tested.quantiles[MODEL][row, place],
            None if beside is None else _median(tested, beside, row, place),
        )
        for place in places.tolist()
    )


def _median(tested: Backtest, name: str, row: int, place: int) -> NDArray[np.float64]:
    return np.asarray(tested.quantiles[name][row, place][:, tested.levels.index(0.5)])


def _table(caption: str, measures: Mapping[str, Measures] | None) -> DataTable | None:
    if measures is None:
        return None
    head, *rows = rows_of(measures)
    return DataTable(caption, head, tuple(rows), own_row=0)
