"""Training of forecasters into run folders: from tables, and runs that go on."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.series.panels import Note
from recurra.tasks.provenance import provenance
from recurra.tasks.report.page import TrainedData
from recurra.tasks.report.writing import end_with_report
from recurra.tasks.run import RunFolder, create_run, refuse_newer
from recurra.tasks.series.autoregressive.job import AutoregressiveJob
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.configuration import TASK, check_source, config_of, read_config
from recurra.tasks.series.job import SeriesJob
from recurra.tasks.series.loading import load_forecast_model
from recurra.tasks.series.opening import OpenedTable, open_table, table_from
from recurra.tasks.series.training import train_series

if TYPE_CHECKING:
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.series.panel import Panel
    from recurra.tasks.series.models import AnySettings
    from recurra.tasks.series.table_settings import TableSettings
    from recurra.tasks.sources import Source
    from recurra.tasks.training.events import Callback, TrainingOutcome

_logger = logging.getLogger("recurra")


def job_of(opened: OpenedTable, settings: AnySettings, panel: Panel | None = None) -> SeriesJob | AutoregressiveJob:
    """The networks to train on a table.

    Args:
        opened: the table and its series.
        settings: the settings of networks and training.
        panel: the series to train on, if they are other ones than the table's. Default: those.

    Raises:
        RunError: no series is long enough, or a setting is refused.
    """
    series = opened.panel if panel is None else panel
    if isinstance(settings, AutoregressiveSettings):
        return AutoregressiveJob(series, settings, names=opened.names, least=opened.least, table=opened.form)
    return SeriesJob(series, settings, names=opened.names, least=opened.least, table=opened.form)


def train_table(
    opened: OpenedTable,
    settings: AnySettings,
    table: TableSettings,
    folder: Path,
    *,
    source: Source | None = None,
    command: Sequence[str] | None = None,
    callbacks: Sequence[Callback] = (),
    warn: Callable[[str], None] = _logger.warning,
) -> TrainingOutcome:
    """Train a forecaster on a table into a new run folder, and write its report.

    Args:
        opened: the table and its series.
        settings: the settings of networks and training.
        table: what was said about the table.
        folder: a path where nothing exists.
        source: the table's file. Default: there is none, and the run cannot be resumed.
        command: the command line, word by word. Default: there is none.
        callbacks: followers of the training.
        warn: gets a line if a checkpoint, metrics or the report cannot be written. Default: the log.

    Raises:
        RunError: no series is long enough, the folder exists or cannot be made, or the loss is no longer a number.
    """
    job = job_of(opened, settings)
    run = create_run(folder, {**config_of(settings, table, source), "made": provenance(command, threads=1)})
    return _reported(job, run, opened, callbacks, warn)


def resume_table(
    opened: OpenedTable,
    settings: AnySettings,
    run: RunFolder,
    callbacks: Sequence[Callback] = (),
    warn: Callable[[str], None] = _logger.warning,
) -> TrainingOutcome:
    """Go on with a run of :func:`train_table`, and write its report anew.

    Args:
        opened: the table and its series, of :func:`reopened`, as the settings.
        settings: the settings of networks and training.
        run: the folder.
        callbacks: followers of the training.
        warn: gets a line if a checkpoint, metrics or the report cannot be written. Default: the log.

    Raises:
        RunError: the checkpoint cannot be read, or the loss is no longer a number.
    """
    return _reported(job_of(opened, settings), run, opened, callbacks, warn, resumes=True)


def _reported(
    job: SeriesJob | AutoregressiveJob,
    run: RunFolder,
    opened: OpenedTable,
    callbacks: Sequence[Callback],
    warn: Callable[[str], None],
    *,
    resumes: bool = False,
) -> TrainingOutcome:
    outcome = train_series(job, run, callbacks, resumes=resumes, warn=warn)
    end_with_report(run, warn, TrainedData(opened, job.data if isinstance(job, SeriesJob) else None))
    return outcome


def reopened(run: RunFolder, note: Note) -> tuple[AnySettings, OpenedTable]:
    """The settings and the table of a run, to go on with or to test.

    Args:
        run: the folder.
        note: called with each thing that the user should know about the table.

    Raises:
        RunError: the run is damaged or of a newer recurra, or its table is missing or has changed.
    """
    refuse_newer(run)
    settings, table, source = read_config(run)
    path = check_source(source, run.folder).path
    return settings, open_table(table_from(path), table, note)


def train_alone(
    opened: OpenedTable,
    settings: AnySettings,
    panel: Panel | None = None,
    callbacks: Sequence[Callback] = (),
) -> AnyForecaster:
    """Train a forecaster of which no folder is kept.

    Args:
        opened: the table and its series.
        settings: the settings of networks and training.
        panel: the series to train on, if they are other ones than the table's. Default: those.
        callbacks: followers of the training.

    Raises:
        RunError: no series is long enough, or the loss is no longer a number.
    """
    job = job_of(opened, settings, panel)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        train_series(job, create_run(folder, {"task": TASK}), callbacks)
        return load_forecast_model(folder)
