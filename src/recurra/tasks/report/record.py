"""The files of a run, read to be reported on: configuration, rows of metrics, model; needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from recurra.errors import RunError
from recurra.model import Description
from recurra.model.safetensors import metadata_of
from recurra.tasks.run import METRICS, RunFolder, open_run
from recurra.tasks.series.configuration import TASK as SERIES
from recurra.tasks.text.loading import TASK as TEXT
from recurra.tasks.training.metrics import MetricsRow, rows_of
from recurra.tasks.training.progress import Progress, read_progress

TASKS = (TEXT, SERIES)
_NEEDED = ("step", "train_loss", "valid_loss", "seconds", "lr")
_COUNTED = ("step", "seconds")  # these grow from zero, and are never null
_MOST = 1e15
# Parts of config.json that are no settings.
_FACTS = ("format", "version", "task", "made", "data", "vocabulary")
_SECTIONS = ("text", "series", "table")  # settings of these are named without them


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What the files of a run say.

    Attributes:
        run: the folder.
        rows: the rows of metrics.jsonl, one for each evaluation; none before the first.
    """

    run: RunFolder
    rows: Sequence[MetricsRow]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.run.folder.resolve().name or str(self.run.folder)

    @property
    def config(self) -> Mapping[str, Any]:
        """The content of config.json."""
        return self.run.config

    @property
    def task(self) -> str:
        """``"text"`` or ``"series"``."""
        return str(self.config["task"])

    @cached_property
    def description(self) -> Description:
        """The best model.

        Raises:
            RunError: it is missing or damaged.
        """
        return self.run.read_model()

    @property
    def weights(self) -> int:
        """The number of the model's weights; tied ones count once."""
        return sum({id(weight): weight.data.size for weight in self.description.weights.values()}.values())

    @property
    def best(self) -> MetricsRow | None:
        """The row with the smallest validation loss, the first of several; None before the first evaluation."""
        return min(self.rows, key=lambda row: number(row["valid_loss"], math.inf), default=None)

    @cached_property
    def progress(self) -> Progress | None:
        """The position of the training at its last checkpoint; None if there is none that can be read."""
        try:
            metadata = metadata_of(self.run.checkpoint)
            return read_progress(metadata["progress"])
        except (OSError, ValueError, KeyError):
            return None

    @property
    def seconds(self) -> float | None:
        """The time up to the last evaluation, of all sittings together; None before the first."""
        return number(self.rows[-1]["seconds"]) if self.rows else None

    @property
    def item(self) -> str:
        """The name of what is counted, such as ``token``."""
        return next((name.removesuffix("s_per_second") for name in self.rows[0] if name in _SPEEDS), "item")

    @property
    def speed(self) -> float | None:
        """The items of a second of training, the median over all evaluations; None before the first."""
        speeds = [number(row[name]) for row in self.rows for name in row if name in _SPEEDS]
        return median(speeds) if speeds else None

    @property
    def settings(self) -> dict[str, object]:
        """The settings by their names, such as ``model.hidden`` and ``training.lr``."""
        found: dict[str, object] = {}
        for name, value in self.config.items():
            if name not in _FACTS:
                _flatten("" if name in _SECTIONS else name, value, found)
        return found

    @property
    def sources(self) -> tuple[tuple[str, str, str], ...]:
        """The files that it learned from: pairs of their role, path and checksum; none for data that were no files."""
        return tuple(_sources(self.config.get("data")))

    @property
    def made(self) -> Mapping[str, Any]:
        """The command, versions and machine that made it; empty for a run of an older recurra."""
        made = self.config.get("made")
        return made if isinstance(made, dict) else {}


_SPEEDS = ("tokens_per_second", "values_per_second")


def read_record(folder: Path) -> RunRecord:
    """Read a run of any task.

    Raises:
        RunError: the folder is missing or is no run, or its configuration or metrics are damaged.
    """
    run = open_run(folder)
    if run.config.get("task") not in TASKS:
        raise RunError(f"{folder} is a run of the task {run.config.get('task')!r}; known are {', '.join(TASKS)}")
    return RunRecord(run, _rows(run.folder / METRICS))


def number(value: float | None, instead: float = math.inf) -> float:
    """A figure of metrics.jsonl, where null stands for infinity or NaN."""
    return instead if value is None else float(value)


def _rows(path: Path) -> list[MetricsRow]:
    """The rows of metrics; none where there is no file, as before the first evaluation."""
    try:
        rows = rows_of(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
    except RunError as error:
        raise RunError(f"{path} is damaged: {error}") from None
    for place, row in enumerate(rows, 1):
        missing = [name for name in _NEEDED if name not in row]
        if missing:
            raise RunError(f"{path} is damaged: line {place} has no {', '.join(missing)}")
        wrong = [name for name in _COUNTED if not 0 <= number(row[name]) <= _MOST]
        if wrong:
            raise RunError(f"{path} is damaged: {' and '.join(wrong)} of line {place} cannot be")
    return rows


def _flatten(name: str, value: object, found: dict[str, object]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(f"{name}.{key}" if name else str(key), inner, found)
    else:
        found[name] = value


def _sources(data: object) -> list[tuple[str, str, str]]:
    if not isinstance(data, Mapping):
        return []
    if "path" in data:
        return [("table", str(data["path"]), str(data.get("sha256")))]
    files, valid = data.get("files"), data.get("valid")
    named = [("text", each) for each in files] if isinstance(files, list) else []
    named += [] if valid is None else [("validation", valid)]
    return [(role, str(each.get("path")), str(each.get("sha256"))) for role, each in named if isinstance(each, Mapping)]
