"""Writing of a run's report: by itself at the end of a training, and again for an old run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import one_line
from recurra.tasks.report.page import report_page
from recurra.tasks.run import REPORT, RunFolder

if TYPE_CHECKING:
    from recurra.tasks.report.page import TrainedData


def write_report(folder: Path, trained: TrainedData | None = None) -> Path:
    """Write the page of a run into its folder, in place of an older one.

    Args:
        folder: the run folder.
        trained: the data of a forecaster's training, if they are at hand. Default: they are read again.

    Returns:
        The path of the page.

    Raises:
        RunError: the folder is missing or is no run, a file of it is missing or damaged, or the page cannot be written.
    """
    path = folder / REPORT
    report_page(folder, trained).write(path)
    return path


def end_with_report(run: RunFolder, warn: Callable[[str], None], trained: TrainedData | None = None) -> None:
    """Write the report of a training that has ended, unless there is one that is newer than its checkpoint.

    Whatever fails is told in a line, as the model is there already.

    Args:
        run: the run.
        warn: gets the line.
        trained: the data of a forecaster's training. Default: they are read again.
    """
    try:
        if not _is_current(run):
            run.remove_temporary()  # half of a report, if a process was killed while it wrote one
            write_report(run.folder, trained)
    except Exception as error:  # the run is whole: no defect of a picture of it may end the command
        reason = one_line(str(error)) or type(error).__name__
        warn(f"{run.report} is not written: {reason}; the run is whole, and recurra report writes it again")


def _is_current(run: RunFolder) -> bool:
    """Whether the report was written after the last checkpoint."""
    try:
        return run.report.stat().st_mtime_ns >= run.checkpoint.stat().st_mtime_ns
    except OSError:
        return False
