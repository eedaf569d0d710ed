"""The training loop of all jobs: it draws losses from a job, steps an optimizer, and yields events."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from recurra.errors import RunError
from recurra.tasks.training.settings import TrainingSettings

LEAST_STEPS_BETWEEN_EVALUATIONS = 200
FINAL_RATE = 0.1


class Job(Protocol):
    """A module to train, its losses on the training data, and its loss on the validation data."""

    @property
    def module(self) -> nn.Module:
        """The module whose parameters are trained."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """The number of losses in an epoch."""
        ...

    @property
    def steps_per_evaluation(self) -> int:
        """The approximate number of windows that an evaluation reads."""
        ...

    def losses(self) -> Iterator[tuple[Tensor, int]]:
        """Iterate once over the training data.

        Yields:
            A mean loss, a scalar with gradients, and the number of items that it is the mean of. The optimizer makes a
            step before the next loss is drawn.
        """
        ...

    def evaluate(self) -> float:
        """The mean loss on the validation data."""
        ...


@dataclass(frozen=True)
class Step:
    """One update of the weights; `fraction` is the used part of the budget, `loss` the loss of this window."""

    step: int
    epoch: int
    fraction: float
    loss: float


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on the validation data.

    `train_loss` is the mean since the previous evaluation, `items_per_second` the speed of training alone, `seconds`
    the time since the start, and `best` is True if no earlier evaluation had a loss as low.
    """

    step: int
    epoch: int
    train_loss: float
    valid_loss: float
    items_per_second: float
    seconds: float
    best: bool


Event = Step | Evaluation


def train(job: Job, settings: TrainingSettings) -> Iterator[Event]:
    """Train a job until its budget is used up or nothing improves any more.

    An event follows each update and each evaluation. The module's weights are those of the event until the next one is
    asked for: a caller keeps the best model by saving it when ``Evaluation.best``. The last event is an evaluation.

    Args:
        job: the module and its data.
        settings: the budget, the optimizer, the learning rate and the clipping.

    Raises:
        RunError: the loss is no longer a number.
    """
    return _Loop(job, settings).run()


class _Loop:
    def __init__(self, job: Job, settings: TrainingSettings) -> None:
        self.job, self.settings = job, settings
        self.parameters = list(job.module.parameters())
        self.optimizer = _optimizer(self.parameters, settings)
        # A window of an evaluation, without backward pass, costs about a third of a step: at most a tenth of all time.
        rare_enough = max(LEAST_STEPS_BETWEEN_EVALUATIONS, 3 * job.steps_per_evaluation)
        self.every = settings.evaluate_every or rare_enough
        self.start = time.monotonic()
        self.step = self.epoch = self.worse = self.items = 0
        self.loss_sum = self.training_seconds = 0.0
        self.best_loss = math.inf

    def run(self) -> Iterator[Event]:
        """Train; see :func:`train`."""
        self.job.module.train()
        for self.epoch in itertools.count(1):
            losses = self.job.losses()
            while True:
                begin = time.monotonic()
                drawn = next(losses, None)
                if drawn is None:
                    break
                loss = self._update(*drawn)
                self.training_seconds += time.monotonic() - begin
                fraction = self._fraction()
                yield Step(self.step, self.epoch, fraction, loss)
                if self.step % self.every == 0 or fraction >= 1:
                    yield self._evaluate()
                    if fraction >= 1 or 0 < self.settings.patience <= self.worse:
                        return

    def _update(self, loss: Tensor, items: int) -> float:
        value = _finite(float(loss.detach()), self.step + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * _cosine(self._fraction())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if math.isfinite(self.settings.clip):
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()
        self.step += 1
        self.items += items
        self.loss_sum += value * items
        return value

    def _fraction(self) -> float:
        """The used part of the budget, from 0 to 1."""
        used = 0.0
        if self.settings.epochs is not None:
            used = self.step / (self.settings.epochs * self.job.steps_per_epoch)
        if self.settings.seconds is not None:
            used = max(used, (time.monotonic() - self.start) / self.settings.seconds)
        return min(used, 1.0)

    def _evaluate(self) -> Evaluation:
        valid_loss = _finite(self.job.evaluate(), self.step)
        best = valid_loss < self.best_loss
        self.worse = 0 if best else self.worse + 1
        self.best_loss = min(valid_loss, self.best_loss)
        evaluation = Evaluation(
            step=self.step,
            epoch=self.epoch,
            train_loss=self.loss_sum / self.items,
            valid_loss=valid_loss,
            items_per_second=self.items / max(self.training_seconds, 1e-9),
            seconds=time.monotonic() - self.start,
            best=best,
        )
        self.items, self.loss_sum, self.training_seconds = 0, 0.0, 0.0
        return evaluation


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise RunError(f"the loss became {loss} at step {step}; a smaller --lr or --clip may help")
    return loss


def _optimizer(parameters: list[nn.Parameter], settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=settings.rate)
    return torch.optim.Adam(parameters, lr=settings.rate)


def _cosine(fraction: float) -> float:
    """The factor of the learning rate: from 1 at the start of the budget to FINAL_RATE at its end."""
    return FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * fraction)) / 2
