"""`recurra series backtest`: forecast from origins in the past, and compare with what came."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.console import Reporter, note
from recurra.cli.series.files import is_run, write_table
from recurra.cli.series.options import (
    MODEL,
    TABLE,
    CellOption,
    FreqOption,
    GapOption,
    HiddenOption,
    HorizonOption,
    IdOption,
    JsonOption,
    KnownOption,
    LikelihoodOption,
    MembersOption,
    MinutesOption,
    ModelOption,
    PastOption,
    PlotOption,
    SeedOption,
    StaticOption,
    StepsOption,
    TargetOption,
    TimeFormatOption,
    TimeOption,
    ZoneOption,
    given,
    series_settings,
    table_settings,
)
from recurra.errors import RunError
from recurra.tasks.series.settings import SeriesSettings
from recurra.tasks.series.table_settings import TableSettings

if TYPE_CHECKING:
    from recurra.tasks.series.backtesting import BacktestPlan, BacktestReport
    from recurra.tasks.series.models import AnySettings
    from recurra.tasks.series.opening import OpenedTable

Tested = Annotated[
    Path, typer.Argument(metavar="RUN|TABLE", help="A run, or a table to train on as 'series train' does.")
]
Later = Annotated[Path | None, typer.Argument(metavar="TABLE", help="With RUN: a table that came after its training.")]


def backtest(
    context: typer.Context,
    run: Tested,
    file: Later = None,
    origins: Annotated[int | None, typer.Option(help="Origins to forecast from; by default 20.")] = None,
    step: Annotated[
        int | None, typer.Option(help="Steps between origins; by default the horizon, if they fit.")
    ] = None,
    refit: Annotated[bool, typer.Option(help="Train anew at each origin; else once, at the first.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="CSV", help="Write every forecast beside what came.")] = None,
    plot: PlotOption = None,
    time: TimeOption = None,
    target: TargetOption = None,
    id: IdOption = None,
    horizon: HorizonOption = None,
    freq: FreqOption = None,
    known: KnownOption = None,
    past: PastOption = None,
    static: StaticOption = None,
    time_format: TimeFormatOption = None,
    zone: ZoneOption = None,
    on_gap: GapOption = TableSettings.on_gap,
    model: ModelOption = SeriesSettings.model,
    likelihood: LikelihoodOption = None,
    cell: CellOption = None,
    hidden: HiddenOption = None,
    members: MembersOption = None,
    steps: StepsOption = None,
    seed: SeedOption = SeriesSettings.seed,
    minutes: MinutesOption = None,
    json: JsonOption = False,
) -> None:
    """Measure forecasts from the past beside the naive ones, of a model that was trained on what was known then."""
    options = context.params
    if is_run(run):
        said = given(context, (*TABLE, *MODEL))
        if said:
            raise RunError(f"a run has its own settings: leave out {', '.join(said)}, or name a table in its place")
        report = _of_run(run, file, options)
    elif file is not None:
        raise RunError(f"{run} is no run: name a run and a table, or a table alone")
    else:
        report = _of_table(run, options)
    _write(report, out, plot)
    if json:
        print(json_format.dumps(_described(report, out, plot), ensure_ascii=False))
    else:
        print(report)


def _of_table(file: Path, options: dict[str, Any]) -> BacktestReport:
    said = table_settings(options)
    series_settings(options)
    from recurra.series.reading import read_table
    from recurra.tasks.series.opening import open_table

    opened = open_table(read_table(file), said, note)
    settings = series_settings(options, opened)
    if not options["json"]:
        print(opened.summary(settings.horizon))
    return _trained(opened, settings, options)


def _of_run(run: Path, file: Path | None, options: dict[str, Any]) -> BacktestReport:
    if file is None:
        from recurra.tasks.run import open_run
        from recurra.tasks.series.configuration import TASK
        from recurra.tasks.series.runs import reopened

        if not run.is_dir():
            raise RunError(
                f"{run} does not say which table it was trained on: name one, recurra series backtest {run} TABLE"
            )
        settings, opened = reopened(open_run(run, TASK), note)
        return _trained(opened, settings, options)
    if options["refit"]:
        raise RunError("--refit is for the table that a run was trained on: leave it out, or the second table")
    from recurra.series.reading import read_table
    from recurra.tasks.series.backtesting import backtest_trained
    from recurra.tasks.series.loading import form_of, load_forecast_model
    from recurra.tasks.series.opening import open_to_forecast

    model = load_forecast_model(run)
    opened = open_to_forecast(read_table(file), form_of(model, run), 0, note)
    return backtest_trained(opened, _plan(model.recipe.horizon, options), model)


def _trained(opened: OpenedTable, settings: AnySettings, options: dict[str, Any]) -> BacktestReport:
    """A backtest with models that are trained for it."""
    from recurra.tasks.series.backtesting import backtest_new
    from recurra.tasks.series.runs import train_alone

    plan = _plan(settings.horizon, options)
    if options["json"]:
        return backtest_new(opened, plan, lambda panel: train_alone(opened, settings, panel))
    with Reporter(item="value") as reporter:
        return backtest_new(opened, plan, lambda panel: train_alone(opened, settings, panel, [reporter]))


def _plan(horizon: int, options: dict[str, Any]) -> BacktestPlan:
    from recurra.tasks import checks
    from recurra.tasks.series.backtesting import BacktestPlan

    for name in ("origins", "step"):
        if options[name] is not None:
            checks.whole(f"--{name}", options[name])
    return BacktestPlan(horizon, options["origins"], options["step"], options["refit"])


def _write(report: BacktestReport, out: Path | None, plot: Path | None) -> None:
    from recurra.tasks.series.backtesting import backtest_table
    from recurra.tasks.series.drawing import page_of_report, write_page

    if out is not None:
        write_table(backtest_table(report), out)
    if plot is not None:
        write_page(page_of_report(report), plot)


def _described(report: BacktestReport, out: Path | None, plot: Path | None) -> dict[str, object]:
    tested = report.tested
    return {
        "out": None if out is None else str(out),
        "plot": None if plot is None else str(plot),
        "series": int((tested.origins > 0).any(1).sum()),
        "origins": int((tested.origins > 0).any(0).sum()),
        "step": tested.step,
        "horizon": tested.actual.shape[2],
        "period": tested.period,
        "refitted": tested.is_refitted,
        "measures": {name: measures.records()[0] for name, measures in report.measures.items()},
    }
