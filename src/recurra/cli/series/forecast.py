"""`recurra series forecast`: forecast the steps after the end of each series."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.console import note
from recurra.cli.series.files import write_table
from recurra.cli.series.options import JsonOption, PlotOption, intervals
from recurra.errors import RunError

if TYPE_CHECKING:
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.series.forecast import Forecast
    from recurra.series.table import Table
    from recurra.tasks.series.opening import OpenedTable

TrainedRun = Annotated[Path, typer.Argument(metavar="RUN", help="Of 'series train', or an exported file.")]
HistoryFile = Annotated[Path | None, typer.Argument(metavar="TABLE", help="The series; else the table trained on.")]


def forecast(
    run: TrainedRun,
    file: HistoryFile = None,
    out: Annotated[Path | None, typer.Option(metavar="CSV", help="File to write; else it is printed.")] = None,
    plot: PlotOption = None,
    future: Annotated[Path | None, typer.Option(metavar="TABLE", help="The known inputs ahead.")] = None,
    template: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write the rows of known inputs to fill in, and no forecast.")
    ] = None,
    level: Annotated[str | None, typer.Option(metavar="N,N…", help="Intervals in per cent; by default all.")] = None,
    json: JsonOption = False,
) -> None:
    """Forecast with a trained model: ids and times as in the table, the median as 'forecast', and quantiles."""
    wanted = intervals(level)
    from recurra.series.results import forecast_table
    from recurra.tasks.series.levels import of_intervals
    from recurra.tasks.series.loading import load_forecast_model

    model = load_forecast_model(run)
    if template is not None:
        _write_template(model, run, file, template)
        return
    opened = _opened(model, run, file, future, model.recipe.horizon)
    made = model.forecast(opened.panel)
    table = forecast_table(of_intervals(made, wanted), opened.form)
    if plot is not None:
        _draw(model, opened, made, plot)
    if out is not None:
        write_table(table, out)
    _tell(table, model, out, plot, json)


def _opened(model: AnyForecaster, run: Path, file: Path | None, future: Path | None, horizon: int) -> OpenedTable:
    """The table to forecast, on the grid of the model."""
    from recurra.series.reading import read_table
    from recurra.tasks.series.loading import form_of
    from recurra.tasks.series.opening import open_to_forecast

    history = read_table(trained_table(run) if file is None else file)
    ahead = None if future is None else read_table(future)
    return open_to_forecast(history, form_of(model, run), horizon, note, ahead)


def trained_table(run: Path) -> Path:
    """The file of the table that a run was trained on.

    Raises:
        RunError: the run is a single file, was not trained on a file, or the file is missing or has changed.
    """
    if not run.is_dir():
        raise RunError(
            f"{run} does not say which table it was trained on: name one, recurra series forecast {run} TABLE"
        )
    from recurra.tasks.run import open_run
    from recurra.tasks.series.configuration import TASK, check_source, read_config

    return check_source(read_config(open_run(run, TASK))[2], run).path


def _write_template(model: AnyForecaster, run: Path, file: Path | None, template: Path) -> None:
    from recurra.series.future import future_template

    if not model.recipe.known:
        raise RunError("the model takes no known inputs: there is nothing to fill in, leave out --template")
    opened = _opened(model, run, file, None, 0)
    write_table(future_template(opened.panel, opened.form, model.recipe.horizon), template)
    names = " ".join(shlex.quote(str(each)) for each in (run, file) if each is not None)
    hint = f"recurra series forecast {names} --future {shlex.quote(str(template))}"
    print(f"{template} has the rows to fill in; then: {hint}")


def _draw(model: AnyForecaster, opened: OpenedTable, made: Forecast, path: Path) -> None:
    from recurra.tasks.series.drawing import page_of_trained, write_page

    write_page(page_of_trained(model, opened, made), path)


def _tell(table: Table, model: AnyForecaster, out: Path | None, plot: Path | None, as_json: bool) -> None:
    """Print the forecast, or where it is."""
    from recurra.series.results import write_csv

    if as_json:
        print(json.dumps(_described(table, model, out, plot), ensure_ascii=False))
    elif out is None and plot is None:
        sys.stdout.write(write_csv(table))
    else:
        rows = f"{len(table):,} row{'s' if len(table) > 1 else ''}"
        written = [*([f"{rows} in {out}"] if out else []), *([f"drawn in {plot}"] if plot else [])]
        print(f"The forecast: {', '.join(written)}")


def _described(table: Table, model: AnyForecaster, out: Path | None, plot: Path | None) -> dict[str, object]:
    """The forecast as JSON: its rows, unless they are in a file."""
    from recurra.series.results import fields_of
    from recurra.series.table import NumberColumn
    from recurra.tasks.series.verdict import training_facts

    columns = {
        name: column.numbers.tolist() if isinstance(column, NumberColumn) else fields_of(column)
        for name, column in table.columns.items()
    }
    return {
        "out": None if out is None else str(out),
        "plot": None if plot is None else str(plot),
        "rows": len(table),
        **training_facts(model.recipe),
        **({"forecast": columns} if out is None else {}),
    }
