"""Runs of autoregressive forecasters: training into a run folder."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from recurra.tasks.run import RunFolder, create_run
from recurra.tasks.series.autoregressive.job import AutoregressiveJob
from recurra.tasks.series.autoregressive.loading import MODEL_NAME, TASK
from recurra.tasks.series.training import one_thread
from recurra.tasks.training.events import Callback, TrainingOutcome
from recurra.tasks.training.loop import fit

_logger = logging.getLogger("recurra")


def create_autoregressive_run(job: AutoregressiveJob, folder: Path) -> RunFolder:
    """Make the run folder of a training that begins.

    Args:
        job: the network and the series.
        folder: a path where nothing exists.

    Raises:
        RunError: the folder exists, or cannot be made.
    """
    settings = dataclasses.asdict(job.settings)
    training = {name: None if value == float("inf") else value for name, value in settings["training"].items()}
    content = {**settings, "training": training, "recipe": job.recipe.to_content()}
    return create_run(folder, {"task": TASK, "model": MODEL_NAME, **content})


def train_autoregressive(
    job: AutoregressiveJob,
    run: RunFolder,
    callbacks: Sequence[Callback] = (),
    *,
    resumes: bool = False,
    warn: Callable[[str], None] = _logger.warning,
) -> TrainingOutcome:
    """Train a network into a run folder, as ``fit`` does; ``load_sampler`` then gives the forecaster.

    Args:
        job: the network and the series.
        run: the folder, of :func:`create_autoregressive_run`.
        callbacks: they follow each update and each evaluation.
        resumes: whether to go on from the folder's checkpoint.
        warn: gets a line if a checkpoint or metrics cannot be written. Default: the log.

    Raises:
        RunError: the loss is no longer a number; the checkpoint cannot be read; or the model cannot be written.
    """
    with one_thread():
        return fit(job, job.settings.training, run, callbacks, resumes=resumes, warn=warn)
