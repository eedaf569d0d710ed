"""Autoregressive forecasters from disk, without torch."""

from __future__ import annotations

from recurra.errors import FileFormatError, RecurraError, RunError
from recurra.model.file import CONFIG, MODEL
from recurra.runtime import Model
from recurra.runtime.paths import PathSampler
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.tasks.run import RunFolder

TASK = "series"
MODEL_NAME = "autoregressive"


def load_sampler(run: RunFolder) -> PathSampler:
    """The forecaster of a run folder, without torch.

    Raises:
        RunError: the run is of another kind of model, has none yet, or its files are damaged.
    """
    if run.config.get("model") != MODEL_NAME:
        raise RunError(f"{run.folder} is a run of the model {run.config.get('model')!r}, not of {MODEL_NAME!r}")
    try:
        recipe = AutoregressiveRecipe.from_content(run.config.get("recipe"))
    except FileFormatError as error:
        raise RunError(f"{run.folder / CONFIG} is damaged: {error}") from None
    description = run.read_model()
    try:
        return PathSampler(Model(description), recipe)
    except RecurraError as error:
        raise RunError(f"{run.folder / MODEL} does not fit {CONFIG}: {error}") from None
