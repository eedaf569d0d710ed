"""`recurra series train`: train a forecaster on a table into a run folder, or go on with a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.console import Follower, JsonReporter, Reporter, error_line, note
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
    from recurra.tasks.series.models import AnySettings
    from recurra.tasks.series.opening import OpenedTable
    from recurra.tasks.training.events import TrainingOutcome

TableFile = Annotated[
    Path | None, typer.Argument(metavar="TABLE", help="CSV, .csv.gz or Parquet, with times and target.")
]
MadeRun = Annotated[Path | None, typer.Option(metavar="RUN", help="Folder to make; it must not exist.")]
ResumeOption = Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with this run, with its own settings.")]


def train(
    context: typer.Context,
    file: TableFile = None,
    out: MadeRun = None,
    resume: ResumeOption = None,
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
    """Train a forecaster on a table. What is not said is found out and printed; Ctrl-C stops, --resume RUN goes on."""
    reporter: Follower = JsonReporter() if json else Reporter(item="value")
    if resume is None:
        _tell(_begin({**context.params, "command": context.obj}, reporter), out, reporter)
    else:
        _refuse_options(context, file, out)
        _tell(_go_on(resume, reporter), resume, reporter)


def _tell(outcome: TrainingOutcome | None, folder: Path | None, reporter: Follower) -> None:
    """Say how the training ended; None if it had ended before."""
    if outcome is None or folder is None:
        return
    if outcome.signal is not None:
        error_line(f"interrupted after step {outcome.step}; to go on: recurra series train --resume {_quoted(folder)}")
        raise typer.Exit(128 + outcome.signal)
    _conclude(folder, reporter)


def _begin(options: Mapping[str, Any], reporter: Follower) -> TrainingOutcome:
    """Train into a new folder."""
    file, out = options["file"], options["out"]
    if file is None:
        raise RunError("Missing argument 'TABLE': a CSV or Parquet file to train on, or --resume RUN")
    if out is None:
        raise RunError("Missing option '--out': the folder to make")
    said = table_settings(options)
    series_settings(options)  # checked first, as importing torch takes seconds
    from recurra.series.reading import read_table
    from recurra.tasks.run import refuse_existing
    from recurra.tasks.series.opening import open_table
    from recurra.tasks.sources import plain_source

    refuse_existing(out)
    opened = open_table(read_table(file), said, note)
    settings, source = series_settings(options, opened), plain_source(file)
    opened.note_short(settings.horizon, note)
    with reporter:
        introduce(opened, settings, reporter)
        from recurra.tasks.series.runs import train_table

        opened = opened.without_rows()  # of very many they take as much memory as the training
        return train_table(
            opened, settings, said, out, source=source, command=options["command"], callbacks=[reporter], warn=note
        )


def _refuse_options(context: typer.Context, file: Path | None, out: Path | None) -> None:
    """Refuse what contradicts a run that goes on with its own settings."""
    said = given(context, (*TABLE, *MODEL))
    if file is not None or out is not None or said:
        names = [*(["the table"] if file else []), *(["--out"] if out else []), *said]
        raise RunError(f"--resume goes on with the run's own table and settings: leave out {', '.join(names)}")


def _go_on(folder: Path, reporter: Follower) -> TrainingOutcome | None:
    """Go on with a run; None if it is finished already."""
    from recurra.tasks.report.writing import end_with_report
    from recurra.tasks.run import open_run
    from recurra.tasks.series.configuration import TASK
    from recurra.tasks.series.runs import reopened, resume_table
    from recurra.tasks.training.loop import finished_outcome

    run = open_run(folder, TASK)
    settings, opened = reopened(run, note)
    finished = finished_outcome(run)
    if finished is not None:
        reporter.on_end(finished)
        end_with_report(run, note)
        note(f"the run {folder} is finished: nothing is left to train")
        return None
    with reporter:
        introduce(opened, settings, reporter)
        return resume_table(opened.without_rows(), settings, run, [reporter], note)


def introduce(opened: OpenedTable, settings: AnySettings, reporter: Follower) -> None:
    """Print how the table was understood, and what is trained."""
    form, panel = opened.form, opened.panel
    facts = {
        "rows": len(opened.table),
        "series": len(panel),
        "observed": sum(int((values == values).sum()) for values in panel.target),
        "time": form.time,
        "target": list(form.targets),
        "id": list(form.ids),
        "frequency": form.frequency.name,
        "zone": form.frequency.zone,
        "periods": list(opened.periods),
        "horizon": settings.horizon,
        "model": settings.model,
        "cell": settings.cell,
        "seed": settings.seed,
    }
    reporter.introduce([opened.summary(settings.horizon)], facts)


def _conclude(folder: Path, reporter: Follower) -> None:
    """Say how good the forecaster is, and what can be done next."""
    from recurra.tasks.run import REPORT
    from recurra.tasks.series.loading import load_forecast_model
    from recurra.tasks.series.verdict import training_facts, training_sentences

    recipe = load_forecast_model(folder).recipe
    ahead = "--template future.csv" if recipe.known else "--out forecast.csv --plot forecast.html"
    hint = f"recurra series forecast {_quoted(folder)} {ahead}"
    said = [*training_sentences(recipe), f"The model is in {folder}, and its report in {folder / REPORT}. Next: {hint}"]
    reporter.conclude(said, training_facts(recipe))


def _quoted(folder: Path) -> str:
    return shlex.quote(str(folder))
