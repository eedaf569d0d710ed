"""The position of a training, as plain numbers that a checkpoint holds."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields

from recurra.errors import RunError
from recurra.program.serial import strict_json

LARGEST = 2**53
MOST_EVALUATIONS = 1_000_000


@dataclass
class Progress:
    """All numbers of a training that decide how it goes on.

    Attributes:
        step: the number of updates so far.
        epoch: the number of the epoch, from 1.
        window: the number of windows of this epoch that are done.
        fraction: the used part of the budget at the last update.
        is_last: whether no update follows.
        is_evaluation_due: whether an evaluation follows before the next update.
        is_finished: whether the training is over.
        loss_sum: the sum of the losses since the last evaluation.
        items: the number of their items.
        training_seconds: the time that their updates took.
        seconds: the time since the start, of all sittings together.
        losses: the mean validation losses of all evaluations.
        best: the number of the best evaluation, from 0; None before the first.
        worse: the number of evaluations since the best.
        plateaus: the number of evaluations that were no improvement.
        averaged: the number of updates whose weights are averaged; 0 before that begins.
    """

    step: int = 0
    epoch: int = 1
    window: int = 0
    fraction: float = 0.0
    is_last: bool = False
    is_evaluation_due: bool = False
    is_finished: bool = False
    loss_sum: float = 0.0
    items: float = 0.0
    training_seconds: float = 0.0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    best: int | None = None
    worse: int = 0
    plateaus: int = 0
    averaged: int = 0

    def add_evaluation(self, loss: float) -> bool:
        """Take in the mean validation loss of an evaluation, and tell whether it is the best so far."""
        is_best = self.best is None or loss < self.losses[self.best]
        if is_best:
            self.best, self.worse = len(self.losses), 0
        else:
            self.worse += 1
            self.plateaus += 1
        self.losses.append(loss)
        self.items = self.loss_sum = self.training_seconds = 0.0
        self.is_evaluation_due = False
        return is_best

    def to_text(self) -> str:
        """The numbers as JSON."""
        return json.dumps(asdict(self), allow_nan=False)


def read_progress(text: str) -> Progress:
    """Read what :meth:`Progress.to_text` wrote, and check every number.

    Raises:
        RunError: a number is missing, of the wrong type or impossible.
    """
    try:
        content = strict_json(text)
    except (ValueError, RecursionError) as error:
        raise RunError(f"its numbers cannot be read: {error}") from None
    names = [each.name for each in fields(Progress)]
    if not isinstance(content, dict) or sorted(content) != sorted(names):
        raise RunError("its numbers are not those of a training")
    for name, default in asdict(Progress()).items():
        _check(name, content[name], default)
    progress = Progress(**content)
    evaluations = len(progress.losses)
    if progress.best is not None and not progress.best < evaluations:
        raise RunError(f"its best evaluation is number {progress.best} of {evaluations}")
    if progress.epoch < 1 or (progress.best is None) != (evaluations == 0):
        raise RunError("its numbers contradict each other")
    return progress


def _check(name: str, value: object, default: object) -> None:
    """Refuse a value that is not of the kind of its default."""
    if name == "best":
        fits = value is None or _is_count(value)
    elif isinstance(default, bool):
        fits = isinstance(value, bool)
    elif isinstance(default, list):
        fits = isinstance(value, list) and len(value) <= MOST_EVALUATIONS and all(map(_is_finite, value))
    elif isinstance(default, int):
        fits = _is_count(value)
    else:
        fits = _is_finite(value)
    if not fits:
        raise RunError(f"its {name!r} is not possible")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
