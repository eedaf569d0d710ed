"""Backtests of trained and of new forecasters, and their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.backtest import MODEL, Backtest, backtest
from recurra.series.results import columns_of_rows, level_name
from recurra.series.table import NumberColumn, Table, text_column
from recurra.tasks.series.opening import OpenedTable
from recurra.tasks.series.verdict import rows_of, sentences

if TYPE_CHECKING:
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.series.forecast import Forecast
    from recurra.series.metrics import Measures
    from recurra.series.panel import Panel

Train = Callable[["Panel"], "AnyForecaster"]
CUTOFF = "cutoff"  # the column of the last time that a forecast knew


@dataclass(frozen=True, eq=False)
class BacktestPlan:
    """The origins of a backtest.

    Args:
        horizon: the steps that are forecast from each origin.
        origins: the number of origins. Default: 20, or fewer where there are very many series.
        step: the steps between origins. Default: the horizon, or fewer where the series are short.
        refit: whether a forecaster is trained anew at each origin. Default: one is trained at the first origin.
    """

    horizon: int
    origins: int | None = None
    step: int | None = None
    refit: bool = False


@dataclass(frozen=True, eq=False)
class BacktestReport:
    """The result of a backtest; printed, it is a table of figures and what they say.

    Attributes:
        opened: the table and its series.
        tested: the forecasts and what came, as arrays.
        knew: what the forecaster had been trained on, in words.
    """

    opened: OpenedTable
    tested: Backtest
    knew: str

    @property
    def measures(self) -> dict[str, Measures]:
        """The measures of all values together, by the forecasters' names; ``model`` is the one that was tested."""
        return {name: self.tested.measures(name) for name in self.tested.quantiles}

    @property
    def sentences(self) -> list[str]:
        """How much better than the best naive forecast it is, whether its intervals hold, and what it knew."""
        return [*sentences(self.measures), f"{self.knew[:1].upper()}{self.knew[1:]}."]

    def __str__(self) -> str:
        return "\n".join([*aligned(rows_of(self.measures)), "", *self.sentences])


def backtest_trained(opened: OpenedTable, plan: BacktestPlan, model: AnyForecaster) -> BacktestReport:
    """Test a trained forecaster as it is on a table, as on data that came after its training.

    Raises:
        RunError: all series are too short, or a number is out of range.
    """
    tested = backtest(
        lambda panel: model.forecast(panel, plan.horizon),
        opened.panel,
        plan.horizon,
        plan.origins,
        plan.step,
        period=period_of(opened),
    )
    return BacktestReport(opened, tested, "the model was taken as it is: data that it was trained on would flatter it")


def backtest_new(opened: OpenedTable, plan: BacktestPlan, train: Train) -> BacktestReport:
    """Test forecasters that are trained on what was known at the first origin, or at each.

    Args:
        opened: the table and its series.
        plan: the origins.
        train: trains a forecaster on series.

    Raises:
        RunError: all series are too short, or a number is out of range.
    """
    models: list[AnyForecaster] = []

    def fitted(panel: Panel) -> Callable[[Panel], Forecast]:
        if plan.refit or not models:
            models.append(train(panel))
        model = models[-1]
        return lambda each: model.forecast(each, plan.horizon)

    tested = backtest(None, opened.panel, plan.horizon, plan.origins, plan.step, period=period_of(opened), refit=fitted)
    knew = "each forecast is of a model that was trained on what was known at its origin"
    if not plan.refit:
        knew = "the model was trained once, on what was known at the first origin"
    return BacktestReport(opened, replace(tested, is_refitted=plan.refit), knew)


def period_of(opened: OpenedTable) -> int:
    """The season of scales and naive forecasts in steps; 1 where there is none."""
    return next((period for period in opened.periods if period > 1), 1)


def backtest_table(result: BacktestReport) -> Table:
    """The table of a backtest.

    Returns:
        A row for each series, origin and step: ids, time, the last time that the forecast knew (``cutoff``), what came,
        ``forecast`` and its quantiles, and the naive forecasts.
    """
    tested, form = result.tested, result.opened.form
    horizon = tested.actual.shape[2]
    series, places = np.nonzero(tested.origins)
    rows = np.repeat(series, horizon)
    first = tested.positions[series, places]
    columns = columns_of_rows(form, list(tested.ids), rows, (first[:, None] + np.arange(horizon)).reshape(-1))
    time = columns_of_rows(form, list(tested.ids), rows, np.repeat(first - 1, horizon))
    columns[CUTOFF] = time[list(columns)[-1]]
    target = "y" if form.is_wide else form.targets[0]
    columns[target] = NumberColumn(tested.actual[series, places].reshape(-1))
    for name, quantiles in tested.quantiles.items():
        chosen = quantiles[series, places]
        own = "forecast" if name == MODEL else name.replace(" ", "_")
        columns[own] = NumberColumn(chosen[..., tested.levels.index(0.5)].reshape(-1))
        if name == MODEL:
            for number, level in enumerate(tested.levels):
                columns[level_name(level)] = NumberColumn(chosen[..., number].reshape(-1))
    return Table(columns, "the backtest")


def measures_table(result: BacktestReport) -> Table:
    """The measures of all values together: a row for each forecaster, the tested one first."""
    names, records = [], []
    for name, measures in result.measures.items():
        names.append("forecast" if name == MODEL else name.replace(" ", "_"))
        records += measures.records()
    columns = {key: NumberColumn(np.array([_number(row[key]) for row in records])) for key in records[0]}
    return Table({"model": text_column(names), **columns}, "the measures")


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
