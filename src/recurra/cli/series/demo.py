"""`recurra series demo`: from a table to a forecast beside what came, in under a minute."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.console import Reporter
from recurra.cli.series.files import write_table
from recurra.cli.series.options import SeedOption
from recurra.tasks.series.settings import SeriesSettings


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make; it must not exist.")] = Path("airline"),
    seed: SeedOption = SeriesSettings.seed,
) -> None:
    """Forecast two years of airline passengers from the ten before them, beside what came; under a minute."""
    from recurra.tasks.run import refuse_existing
    from recurra.tasks.series.backtesting import backtest_table
    from recurra.tasks.series.demo import KEPT_BACK, make_demo
    from recurra.tasks.series.drawing import page_of_report, write_page

    settings = SeriesSettings(KEPT_BACK, seed=seed)
    settings.check()
    refuse_existing(out)
    made = make_demo(out)
    opened = made.open()
    print(f"The passengers of international airlines, 1949 to 1960, thousands a month, are in {made.table}.")
    print("The model learns from the first ten years, and forecasts the last two:\n")
    with Reporter(item="value") as reporter:
        reporter.line(opened.summary(settings.horizon))
        model = made.train(opened, settings, [reporter])
    report = made.compare(model)
    write_table(backtest_table(report), made.run / "forecast.csv")
    write_page(page_of_report(report), made.run / "forecast.html")
    print(f"\nThe last two years, forecast and come:\n\n{report}\n")
    run, table = shlex.quote(str(made.run)), shlex.quote(str(made.table))
    print(f"The forecast is in {made.run / 'forecast.csv'}, drawn for a browser in {made.run / 'forecast.html'}.")
    print(f"What comes after 1960: recurra series forecast {run} {table} --plot after.html")
    print("With a table of yours: recurra series train TABLE --out RUN")
