"""The training loop on a small job: budgets, clipping, the best model, and a loss that is no number."""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from recurra.errors import RunError
from recurra.tasks.training.loop import Evaluation, Step, train
from recurra.tasks.training.settings import TrainingSettings


class Line:
    """A job that fits one number: the loss is (w − 3)²."""

    steps_per_epoch = 4
    steps_per_evaluation = 1

    def __init__(self, scale: float = 1.0, valid: Iterator[float] | None = None) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.module.weight)
        self.scale, self.valid = scale, valid

    def losses(self) -> Iterator[tuple[Tensor, int]]:
        for _ in range(self.steps_per_epoch):
            yield self.scale * (self.module.weight - 3).square().sum(), 10

    def evaluate(self) -> float:
        return next(self.valid) if self.valid else float((self.module.weight.detach() - 3).square().sum())


SETTINGS = TrainingSettings(optimizer="sgd", lr=0.1, clip=math.inf, epochs=5, evaluate_every=8)


def test_learns_and_tells() -> None:
    events = list(train(Line(), SETTINGS))
    steps = [event for event in events if isinstance(event, Step)]
    looks = [event for event in events if isinstance(event, Evaluation)]
    assert [event.step for event in steps] == list(range(1, 21))
    assert [event.epoch for event in steps] == [1 + k // 4 for k in range(20)]
    assert steps[-1].fraction == 1
    assert [event.step for event in looks] == [8, 16, 20]
    assert events[-1] is looks[-1]
    assert looks[-1].valid_loss < 0.1 < looks[0].train_loss
    assert all(event.best and event.items_per_second > 0 for event in looks)
    assert looks[0].train_loss == pytest.approx(sum(event.loss for event in steps[:8]) / 8)


def test_the_rate_falls_along_a_cosine() -> None:
    job = Line()
    weights = [0.0]
    for event in train(job, replace(SETTINGS, epochs=2)):
        if isinstance(event, Step):
            weights.append(float(job.module.weight.detach()))
    rates = [(after - before) / (2 * (3 - before)) for before, after in itertools.pairwise(weights)]
    expected = [0.1 * (0.1 + 0.45 * (1 + math.cos(math.pi * k / 8))) for k in range(8)]
    assert rates == pytest.approx(expected, rel=1e-4)


def test_clipping_bounds_the_step() -> None:
    job = Line(scale=1e6)
    next(train(job, replace(SETTINGS, clip=0.5)))
    assert float(job.module.weight.detach()) == pytest.approx(0.05, rel=1e-4)


def test_minutes_end_a_training() -> None:
    begin = time.monotonic()
    events = list(train(Line(), replace(SETTINGS, epochs=None, minutes=0.2 / 60, patience=0)))
    assert time.monotonic() - begin > 0.15
    assert isinstance(events[-1], Evaluation)


def test_patience_and_the_best() -> None:
    job = Line(valid=iter([3.0, 1.0, 2.0, 1.0, 5.0, 0.0]))
    looks = [
        e
        for e in train(job, replace(SETTINGS, epochs=1000, evaluate_every=1, patience=3))
        if e.step and isinstance(e, Evaluation)
    ]
    assert [event.best for event in looks] == [True, True, False, False, False]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_loss_that_is_no_number(optimizer: str) -> None:
    with pytest.raises(RunError, match="loss became nan at step 1"):
        list(train(Line(scale=math.nan), replace(SETTINGS, optimizer=optimizer)))
    with pytest.raises(RunError, match="loss became inf at step 8"):
        list(train(Line(valid=iter([math.inf])), replace(SETTINGS, optimizer=optimizer)))


def test_the_mode_of_the_module() -> None:
    job = Line()
    job.module.eval()
    next(train(job, SETTINGS))
    assert job.module.training
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "lion"}, "--optimizer must be one of adam, sgd"),
        ({"lr": 0.0}, "--lr"),
        ({"lr": math.nan}, "--lr"),
        ({"lr": math.inf}, "--lr"),
        ({"clip": 0.0}, "--clip"),
        ({"clip": math.nan}, "--clip"),
        ({"epochs": 0}, "--epochs"),
        ({"minutes": -1.0}, "--minutes"),
        ({"evaluate_every": 0}, "--eval-every"),
        ({"patience": -1}, "--patience"),
    ],
)
def test_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(RunError, match=message):
        replace(SETTINGS, **change).check()
