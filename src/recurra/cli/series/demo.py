"""`recurra series demo`: from a table to a forecast beside what came, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.console import Reporter, note
from recurra.cli.series.files import write_table
from recurra.errors import RunError


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make; it must not exist.")] = Path("airline"),
) -> None:
    """Forecast two years of airline passengers from the ten before, beside what came; under a minute."""
    from recurra.series.reading import read_table
    from recurra.series.results import forecast_table
    from recurra.tasks.run import refuse_existing
    from recurra.tasks.series.backtesting import BacktestPlan, backtest_table, backtest_trained
    from recurra.tasks.series.demo import KEPT_BACK, demo_tables

    refuse_existing(out)
    table, history = out / "passengers.csv", out / "history.csv"
    _make(out, dict(zip((table, history), demo_tables(), strict=True)))
    print(f"{table} has the passengers of international airlines, 1949 to 1960, in thousands a month.")
    print(f"The model learns from all but the last two years, {history}:\n")
