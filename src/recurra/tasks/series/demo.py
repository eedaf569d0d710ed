"""The demo: ten years of airline passengers to learn from, and two kept back to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import RunError
from recurra.files import write_atomically
from recurra.tasks.series.backtesting import BacktestPlan, BacktestReport, backtest_trained
from recurra.tasks.series.loading import form_of, load_forecast_model
from recurra.tasks.series.opening import OpenedTable, open_table, open_to_forecast, table_from
from recurra.tasks.series.settings import SeriesSettings
from recurra.tasks.series.table_settings import TableSettings

if TYPE_CHECKING:
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.tasks.training.events import Callback

# Passengers of international airlines in thousands, for each month from 1949 to 1960 (Box & Jenkins 1970, series G).
PASSENGERS = Path(__file__).with_name("airline.csv")
KEPT_BACK = 24  # months


@dataclass(frozen=True)
class Demo:
    """The files of the demo.

    Attributes:
        table: the whole table.
        history: the table without the months that are kept back.
        run: the folder of the run.
    """

    table: Path
    history: Path
    run: Path

    def open(self) -> OpenedTable:
        """The table to learn from."""
        return open_table(table_from(self.history), TableSettings(), _quiet)

    def train(self, opened: OpenedTable, settings: SeriesSettings, callbacks: Sequence[Callback] = ()) -> AnyForecaster:
        """Train a forecaster into the run folder."""
        from recurra.tasks.series.runs import train_table
        from recurra.tasks.sources import plain_source

        source = plain_source(self.history)
        train_table(opened, settings, TableSettings(), self.run, source=source, callbacks=callbacks)
        return load_forecast_model(self.run)

    def compare(self, model: AnyForecaster) -> BacktestReport:
        """The forecast of the months that were kept back, beside what came."""
        opened = open_to_forecast(table_from(self.table), form_of(model, self.run), 0, _quiet)
        report = backtest_trained(opened, BacktestPlan(model.recipe.horizon, origins=1), model)
        return BacktestReport(report.opened, report.tested, "the model never saw these months")


def make_demo(folder: Path) -> Demo:
    """Make a folder with the tables of the demo.

    Args:
        folder: a path where nothing exists.

    Raises:
        RunError: the folder cannot be made.
    """
    lines = PASSENGERS.read_bytes().splitlines(keepends=True)
    made = Demo(folder / "passengers.csv", folder / "history.csv", folder / "run")
    try:
        folder.mkdir(parents=True)
        write_atomically(made.table, b"".join(lines))
        write_atomically(made.history, b"".join(lines[:-KEPT_BACK]))
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error.strerror or error}") from None
    return made


def _quiet(_: str) -> None:
    """Say nothing: the demo's table has no faults."""
