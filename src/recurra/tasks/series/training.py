"""Training of a forecaster, from a panel to the model."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from recurra.tasks.training.loop import fit

if TYPE_CHECKING:
    from recurra.tasks.run import RunFolder
    from recurra.tasks.series.autoregressive.job import AutoregressiveJob
    from recurra.tasks.series.job import SeriesJob
    from recurra.tasks.training.events import Callback, TrainingOutcome

_logger = logging.getLogger("recurra")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread in the block: sums have one order then, so that a seed gives the same bits everywhere.

    The networks are small, and more threads would gain little.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_series(
    job: SeriesJob | AutoregressiveJob,
    run: RunFolder | None = None,
    callbacks: Sequence[Callback] = (),
    *,
    resumes: bool = False,
    warn: Callable[[str], None] = _logger.warning,
) -> TrainingOutcome:
    """Train a forecaster, into a run folder if there is one, as ``fit`` does.

    Args:
        job: the networks and the series.
        run: the folder. Default: nothing is written.
        callbacks: they follow each update and each evaluation.
        resumes: whether to go on from the folder's checkpoint.
        warn: gets a line if a checkpoint or metrics cannot be written. Default: the log.

    Raises:
        RunError: the loss is no longer a number; the checkpoint cannot be read; or the model cannot be written.
    """
    with one_thread():
        return fit(job, job.settings.training, run, callbacks, resumes=resumes, warn=warn)
