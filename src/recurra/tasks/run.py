"""The run folder: config.json, model.safetensors and metrics.jsonl; plain data, written atomically, never pickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from recurra.errors import FileFormatError, RunError
from recurra.files import synchronise_folder, write_atomically
from recurra.model.file import CONFIG, MODEL
from recurra.nn import save
from recurra.version import __version__
from recurra.vocabulary import Vocabulary

METRICS = "metrics.jsonl"
FORMAT = 1


@dataclass
class Run:
    """A folder with one training's configuration, weights and measurements.

    `config` is what config.json holds; `metrics` the lines of metrics.jsonl written so far.
    """

    folder: Path
    config: Mapping[str, object]
    metrics: list[Mapping[str, object]] = field(default_factory=list)

    def save_model(self, module: nn.Module, vocabulary: Vocabulary | None = None) -> None:
        """Replace the model in the folder, a file as ``recurra.save`` writes it.

        Raises:
            RunError: the folder cannot be written to.
        """
        try:
            save(module, self.folder / MODEL, vocabulary=vocabulary)
        except FileFormatError as error:
            raise RunError(str(error)) from None

    def add_metrics(self, row: Mapping[str, float]) -> None:
        """Append a row to metrics.jsonl; what JSON has no number for, infinity, becomes null.

        Raises:
            RunError: the folder cannot be written to.
        """
        self.metrics.append({name: value if math.isfinite(value) else None for name, value in row.items()})
        lines = [json.dumps(each, allow_nan=False) + "\n" for each in self.metrics]
        _write(self.folder / METRICS, "".join(lines).encode())

    def has_model(self) -> bool:
        """Say whether there are weights in the folder."""
        return (self.folder / MODEL).is_file()

    def load_model(self, module: nn.Module) -> None:
        """Put the weights of the folder in place of the module's own, which may be on the device ``meta``.

        Raises:
            RunError: the file is missing, damaged, or does not fit the module.
        """
        path = self.folder / MODEL
        try:
            weights = load(_read(path))
        except SafetensorError as error:
            raise RunError(f"{path} is damaged: {_one_line(error)}") from None
        _check_fit(path, weights, module.state_dict())
        module.load_state_dict(weights, assign=True)


def refuse_existing(folder: Path) -> None:
    """Refuse a name that is taken, so that no run is ever overwritten.

    Raises:
        RunError: something is there, were it an empty folder.
    """
    try:
        folder.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} cannot be used as a run folder: {_reason(error)}") from None
    raise RunError(f"{folder} exists already; name a folder that does not")


def create_run(folder: Path, config: Mapping[str, object]) -> Run:
    """Make a folder that does not exist yet, with its parents, and write the configuration into it.

    Args:
        folder: where.
        config: what config.json will hold, besides the versions of format and recurra; ``config["task"]`` says what
            for.

    Raises:
        RunError: it exists, or cannot be made.
    """
    refuse_existing(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        synchronise_folder(folder.parent)
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} cannot be made: {_reason(error)}") from None
    content: dict[str, object] = {"format": FORMAT, "version": __version__, **config}
    _write(folder / CONFIG, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    return Run(folder, content)


def open_run(folder: Path, task: str) -> Run:
    """Open a folder that :func:`create_run` made, for reading.

    Args:
        folder: where.
        task: what the run must be of, ``"text"`` for example.

    Raises:
        RunError: it is missing, not a run, of another task or format, or its configuration is damaged.
    """
    try:
        if not folder.exists():
            raise RunError(f"{folder}: there is no such run folder")
        if not folder.is_dir() or not (folder / CONFIG).is_file():
            raise RunError(f"{folder} is not a run folder: it has no {CONFIG}")
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {_reason(error)}") from None
    path = folder / CONFIG
    try:
        config = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path} is damaged: {_one_line(error)}") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise RunError(f"{path} is not the configuration of a run in format {FORMAT}")
    if config.get("task") != task:
        raise RunError(f"{folder} is a run of the task {config.get('task')!r}, not of {task!r}")
    return Run(folder, config)


def _check_fit(path: Path, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    for name in sorted(set(weights) ^ set(expected)):
        problem = "is missing" if name in expected else "is not part of the model"
        raise RunError(f"{path} does not fit {CONFIG}: {name} {problem}")
    for name, tensor in weights.items():
        here, there = tuple(tensor.shape), tuple(expected[name].shape)
        if here != there or tensor.dtype != expected[name].dtype:
            kinds = f"{here} of {tensor.dtype}, the model needs {there} of {expected[name].dtype}"
            raise RunError(f"{path} does not fit {CONFIG}: {name} has shape {kinds}")
        if not torch.isfinite(tensor).all():
            raise RunError(f"{path} is damaged: {name} holds values that are not finite")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the run has no model yet, or was not copied whole") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {_reason(error)}") from None


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else "") or _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
