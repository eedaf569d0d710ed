"""The run folder: config.json, model.safetensors, metrics.jsonl, a checkpoint and a report; never pickled."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import FileFormatError, RunError
from recurra.files import synchronise_folder, write_atomically
from recurra.model import Description, read
from recurra.model.file import CONFIG, MODEL
from recurra.version import __version__

if TYPE_CHECKING:
    from torch import nn

METRICS = "metrics.jsonl"
REPORT = "report.html"
CHECKPOINT = "checkpoint.safetensors"
JOURNAL = "journal.bin"
FORMAT = 1

_TEMPORARY = re.compile(r"\.[0-9a-f]{24}\.tmp")  # of files.write_atomically


@dataclass
class RunFolder:
    """A folder with one training's configuration, weights and measurements.

    `config` is the content of config.json.
    """

    folder: Path
    config: Mapping[str, object]

    @property
    def checkpoint(self) -> Path:
        """The path of the checkpoint."""
        return self.folder / CHECKPOINT

    @property
    def journal(self) -> Path:
        """The path of the journal of a training with a time limit."""
        return self.folder / JOURNAL

    @property
    def fingerprint(self) -> str:
        """A checksum of the configuration, by which a checkpoint knows its run."""
        return f"{zlib.crc32(json.dumps(self.config, sort_keys=True).encode()):08x}"

    def save_model(self, module: nn.Module, annotations: Mapping[str, object] | None = None) -> None:
        """Replace the model in the folder by a file of ``recurra.save``.

        Args:
            module: the model.
            annotations: facts that its file holds beside it; see ``recurra.save``. Default: none.

        Raises:
            RunError: the folder cannot be written to.
        """
        from recurra.nn import save  # reading runs needs no torch

        try:
            save(module, self.folder / MODEL, annotations=annotations)
        except FileFormatError as error:
            raise RunError(str(error)) from None

    @property
    def report(self) -> Path:
        """The path of the page that says how the training went."""
        return self.folder / REPORT

    def has_begun(self) -> bool:
        """Whether there is a checkpoint, a model or metrics; a process may be killed before it has written any."""
        return any((self.folder / name).exists() for name in (CHECKPOINT, MODEL, METRICS))

    def write_metrics(self, content: bytes) -> None:
        """Replace metrics.jsonl; without content there is no such file.

        Raises:
            RunError: the folder cannot be written to.
        """
        path = self.folder / METRICS
        if content:
            _write(path, content)
            return
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{path} cannot be removed: {_reason(error)}") from None

    def remove_temporary(self) -> None:
        """Remove the files that a process left which was killed while it wrote."""
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if _TEMPORARY.fullmatch(path.name):
                    path.unlink()

    def has_model(self) -> bool:
        """Whether the folder has a model."""
        return (self.folder / MODEL).is_file()

    def read_model(self) -> Description:
        """Read the description of the model in the folder.

        Raises:
            RunError: the file is missing, cannot be read, or is damaged.
        """
        path = self.folder / MODEL
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise _unreadable(path, error) from None
        try:
            return read(path)
        except FileFormatError as error:
            raise RunError(f"{path} is damaged: {str(error).removeprefix(f'{path}: ')}") from None


def refuse_existing(folder: Path) -> None:
    """Refuse a name that is taken, so that no run is ever overwritten.

    Raises:
        RunError: something is there, even if it is an empty folder.
    """
    try:
        folder.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} cannot be used as a run folder: {_reason(error)}") from None
    raise RunError(f"{folder} exists already; name a folder that does not")


def create_run(folder: Path, config: Mapping[str, object]) -> RunFolder:
    """Make a folder that does not exist yet, with its parents, and write the configuration into it.

    Args:
        folder: the folder's path.
        config: the content of config.json besides the versions of the format and of recurra; ``config["task"]`` is the
            name of the task.

    Raises:
        RunError: the folder exists, or cannot be made.
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
    return RunFolder(folder, content)


def open_run(folder: Path, task: str | None = None) -> RunFolder:
    """Open a folder that :func:`create_run` made, for reading.

    Args:
        folder: the folder's path.
        task: the task that the run must be of, such as ``"text"``. Default: any.

    Raises:
        RunError: the folder is missing, is no run, is of another task or format, or its configuration is damaged.
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
    if isinstance(config, dict) and type(config.get("format")) is int and config["format"] > FORMAT:
        raise RunError(f"{path} is of format {config['format']}, of a newer recurra; read is format {FORMAT}")
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise RunError(f"{path} is not the configuration of a run in format {FORMAT}")
    if task is not None and config.get("task") != task:
        raise RunError(f"{folder} is a run of the task {config.get('task')!r}, not of {task!r}")
    return RunFolder(folder, config)


def refuse_newer(run: RunFolder) -> None:
    """Refuse a run that a newer recurra made, as it may mean something else by the same settings.

    Raises:
        RunError: the run is newer, or does not say which version made it.
    """
    version = run.config.get("version")
    if not isinstance(version, str) or not re.match(r"\d+\.\d+", version):
        raise RunError(f"{run.folder / CONFIG} is damaged: it has no version")
    if _numbers(version) > _numbers(__version__):
        raise RunError(f"{run.folder} is a run of recurra {version}, which is newer than this one, {__version__}")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,9}", version)[:3]]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> RunError:
    if isinstance(error, FileNotFoundError):
        return RunError(f"{path} is missing: the run has no model yet, or was not copied whole")
    return RunError(f"{path} cannot be read: {_reason(error)}")


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else "") or _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
