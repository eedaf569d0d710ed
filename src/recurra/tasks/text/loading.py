"""Trained language models from disk, without torch: a run folder of the text task, or an exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recurra import cells
from recurra.compiler import trace
from recurra.conversion.reading import read
from recurra.errors import FileFormatError, RecurraError, RunError
from recurra.model import Description
from recurra.model.file import CONFIG, MODEL
from recurra.model.interface import leaves
from recurra.model.kinds import is_recurrent, role
from recurra.model.vocabulary import from_content
from recurra.runtime import Model
from recurra.runtime.language import vocabulary_of
from recurra.tasks.run import RunFolder, open_run
from recurra.tasks.text.settings import ModelSettings, model_settings
from recurra.vocabulary import Vocabulary

TASK = "text"


def load_model(path: Path) -> Model:
    """Load a trained language model from a run folder or an exported file.

    Args:
        path: the folder or the file.

    Raises:
        RunError: the folder is missing or no run of this task; its files are damaged or do not fit each other; or the
            file cannot be read, or holds no language model.
    """
    if not path.is_file():
        description = _of_run(open_run(path, TASK))
    else:
        try:
            description = read(path)
        except FileFormatError as error:
            raise RunError(f"not a run folder, and no exported file either: {error}") from None
    for name, weight in description.weights.items():
        if not np.isfinite(weight.values()).all():
            raise RunError(f"{path} is damaged: weight {name} holds values that are not finite")
    try:
        model = Model(description)
        vocabulary_of(model)
        model.stream()
    except RecurraError as error:
        raise RunError(f"{path} holds no language model of 'recurra text train': {error}") from None
    return model


def vocabulary_of_run(run: RunFolder) -> Vocabulary:
    """The vocabulary in a run's configuration.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        return from_content(run.config.get("vocabulary"))
    except FileFormatError as error:
        raise RunError(f"{run.folder / CONFIG} is damaged: {error}") from None


def _of_run(run: RunFolder) -> Description:
    """Read the model of a run folder, and check that it fits the folder's configuration.

    Raises:
        RunError: a file is missing or damaged, or the files do not fit each other.
    """
    try:
        settings = model_settings(run.config.get("model"))
    except RunError as error:
        raise RunError(f"{run.folder / CONFIG} is damaged: {error}") from None
    vocabulary, description = vocabulary_of_run(run), run.read_model()
    problem = _misfit(description, settings)
    if problem is None and description.vocabulary != vocabulary:
        problem = "its vocabulary is another one"
    if problem is not None:
        raise RunError(f"{run.folder / MODEL} does not fit {CONFIG}: {problem}")
    return description


def _misfit(description: Description, settings: ModelSettings) -> str | None:
    """The reason why a model was not made with these settings; None where it may have been."""
    layers = [part for _, part in description.root.walk() if is_recurrent(part)]
    program = trace(cells.all()[settings.cell])
    if any(part.program != program for part in layers):
        return f"its cell is not {settings.cell}"
    if any(part.size("hidden_size") != settings.hidden for part in layers):
        return f"its layers do not have {settings.hidden} units"
    if sum(part.size("num_layers") for part in layers if "num_layers" in part.settings) != settings.layers:
        return f"it does not have {settings.layers} layers"
    for part in (part for _, part in leaves(description.root) if role(part) == "table"):
        width = settings.embedding_width(part.size("num_embeddings"))
        if part.size("embedding_dim") != width:
            return f"its embedding is not {width} wide"
    return None
