"""The events of a training, and the protocol of those who follow them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Step:
    """One update of the weights.

    Attributes:
        step: the number of updates so far.
        epoch: the number of the epoch, from 1.
        fraction: the used part of the budget, from 0 to 1.
        loss: the mean loss of the update's items.
        rate: the learning rate of the update.
        items_per_second: the speed of training alone since the last evaluation.
        seconds: the time since the start, of all sittings together.
    """

    step: int
    epoch: int
    fraction: float
    loss: float
    rate: float
    items_per_second: float
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on the validation data.

    Attributes:
        step: the number of updates so far.
        epoch: the number of the epoch, from 1.
        train_loss: the mean over the items since the previous evaluation.
        valid_loss: the mean over the validation data.
        best: whether no earlier evaluation had a loss as low.
        row: the evaluation's row of metrics.jsonl.
    """

    step: int
    epoch: int
    train_loss: float
    valid_loss: float
    best: bool
    row: Mapping[str, float | None]


@dataclass(frozen=True)
class TrainingOutcome:
    """The end of a training.

    Attributes:
        step: the number of updates so far.
        epoch: the number of the epoch, from 1.
        best: the row of metrics.jsonl of the best evaluation; None before the first one.
        signal: the number of the signal that interrupted the training; None if it is finished.
    """

    step: int
    epoch: int
    best: Mapping[str, float | None] | None
    signal: int | None

    @property
    def is_finished(self) -> bool:
        """Whether the budget is used up, or nothing improved any more."""
        return self.signal is None


class Callback(Protocol):
    """A follower of a training; its methods are called in process 0, and find the module as it is at that moment."""

    def on_step(self, step: Step) -> None:
        """Follow an update."""
        ...

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Follow an evaluation; the model is saved already if it is the best."""
        ...

    def on_end(self, outcome: TrainingOutcome) -> None:
        """Follow the end, finished or interrupted; it is not called after an error."""
        ...
