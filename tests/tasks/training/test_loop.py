"""The training loop on small jobs: budgets, clipping, schedules, the best model, and a loss that is no number."""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from recurra.errors import RunError
from recurra.tasks.training import optimizers
from recurra.tasks.training.events import Evaluation
from recurra.tasks.training.loop import fit
from recurra.tasks.training.settings import OPTIMIZERS, TrainingSettings
from tests.tasks.training.jobs import Line, Series, trained

SETTINGS = TrainingSettings(optimizer="sgd", lr=0.1, warmup=0, clip=math.inf, epochs=5, evaluate_every=8)


def test_learns_and_tells() -> None:
    events = trained(Line(), SETTINGS)
    looks = events.evaluations
    assert [event.step for event in events.steps] == list(range(1, 21))
    assert [event.epoch for event in events.steps] == [1 + k // 4 for k in range(20)]
    assert [event.fraction for event in events.steps] == pytest.approx([k / 20 for k in range(1, 21)])
    assert [event.step for event in looks] == [8, 16, 20]
    assert events.all[-1] is looks[-1]
    assert looks[-1].valid_loss < 0.5 < looks[0].train_loss
    assert all(event.best and event.row["items_per_second"] > 0 for event in looks)
    assert looks[0].train_loss == pytest.approx(sum(event.loss for event in events.steps[:8]) / 8)
    assert list(looks[0].row) == [
        "step",
        "epoch",
        "train_loss",
        "valid_loss",
        "root",
        "items_per_second",
        "seconds",
        "lr",
    ]
    assert events.outcome.is_finished
    assert events.outcome.best == looks[-1].row


def rates_of(settings: TrainingSettings, valid: Iterator[float] | None = None) -> list[float]:
    """The rate of each step, by how far it went."""
    job, weights = Line(valid=valid), [0.0]
    trained(job, settings, at=lambda event: weights.append(float(job.module.weight.detach())))
    return [(after - before) / (2 * (3 - before)) for before, after in itertools.pairwise(weights) if after != before]


def test_the_rate_falls_along_a_cosine() -> None:
    expected = [0.1 * 0.5 * (1 + math.cos(math.pi * k / 8)) for k in range(8)]
    assert rates_of(replace(SETTINGS, epochs=2)) == pytest.approx(expected, rel=1e-4)


def test_the_rate_stays_and_falls_in_the_last_fifth() -> None:
    expected = [0.1] * 17 + [0.1 * (1 - math.sqrt(k / 4)) for k in (1, 2, 3)]
    assert rates_of(replace(SETTINGS, epochs=5, schedule="wsd")) == pytest.approx(expected, rel=1e-4)


def test_the_rate_rises_and_is_constant() -> None:
    expected = [0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, 0.1]
    settings = replace(SETTINGS, epochs=2, schedule="constant", warmup=4)
    assert rates_of(settings) == pytest.approx(expected, rel=1e-4)


def test_the_rate_is_divided_at_plateaus() -> None:
    settings = replace(SETTINGS, epochs=2, schedule="plateau", evaluate_every=2)
    found = rates_of(settings, iter([3.0, 4.0, 2.0, 2.0]))
    assert found == pytest.approx([0.1] * 4 + [0.025] * 4, rel=1e-4)


def test_clipping_bounds_the_step() -> None:
    job = Line(scale=1e6)
    trained(job, replace(SETTINGS, clip=0.5, epochs=1, schedule="constant"))
    assert float(job.module.weight.detach()) == pytest.approx(4 * 0.05, rel=1e-4)


def plain(job: Series, settings: TrainingSettings) -> list[torch.Tensor]:
    """The weights after each update of a plain loop of torch, without recurra."""
    module = job.module.train()
    kinds = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "adagrad": torch.optim.Adagrad,
        "sgd": torch.optim.SGD,
        "asgd": torch.optim.SGD,
    }
    betas = {"betas": (0.9, 0.98)} if settings.optimizer.startswith("adam") else {}
    decay = settings.weight_decay
    optimizer = kinds[settings.optimizer](module.parameters(), lr=settings.lr, weight_decay=decay, **betas)
    weights = []
    for epoch in range(1, settings.epochs + 1):
        job.begin_epoch(epoch)
        for first in range(0, job.windows_per_epoch, settings.accumulate):
            windows = range(first, min(first + settings.accumulate, job.windows_per_epoch))
            losses = [job.loss(window) for window in windows]
            mean = sum(loss for loss, _ in losses) / sum(items for _, items in losses)
            optimizer.zero_grad()
            mean.backward()
            torch.nn.utils.clip_grad_value_(module.parameters(), settings.clip_value)
            if math.isfinite(settings.clip):
                torch.nn.utils.clip_grad_norm_(module.parameters(), settings.clip)
            optimizer.step()
            weights.append(torch.cat([each.detach().flatten() for each in module.parameters()]).clone())
    return weights


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "adagrad", "sgd"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"weight_decay": 0.1},
        {"accumulate": 2},
        {"accumulate": 9, "clip": 0.1},
        {"clip": 0.05},
        {"clip_value": 0.01},
        {"clip_value": 0.02, "clip": 0.03},
    ],
    ids=str,
)
def test_the_updates_are_those_of_a_plain_loop(optimizer: str, change: dict[str, float]) -> None:
    base = TrainingSettings(
        optimizer, 0.05, schedule="constant", warmup=0, epochs=3, clip=math.inf, evaluate_every=1000
    )
    settings = replace(base, **change)
    theirs, ours = Series(torch.float64), Series(torch.float64)
    torch.manual_seed(1)
    expected = plain(theirs, settings)
    found = []

    def look(event: object) -> None:
        if not isinstance(event, Evaluation):
            found.append(torch.cat([each.detach().flatten() for each in ours.module.parameters()]).clone())

    torch.manual_seed(1)
    trained(ours, settings, at=look)
    assert len(found) == len(expected)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_devices_without_the_fused_operation_make_the_same_updates(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainingSettings(name, 0.05, weight_decay=0.1, epochs=3, evaluate_every=1000)
    fused, plain_job = Series(torch.float64), Series(torch.float64)
    torch.manual_seed(1)
    trained(fused, settings)
    monkeypatch.setattr(optimizers, "FUSED_ON", {name: ()})
    torch.manual_seed(1)
    trained(plain_job, settings)
    expected, found = (list(each.module.parameters()) for each in (fused, plain_job))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


def test_averaging_begins_when_nothing_improves() -> None:
    """Evaluation k is of step k. The sixth before the eighth is better: from there on weights are averaged."""
    valid = [9.0, 5.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 4.0, 3.0, 2.0, 2.0]
    job, weights, evaluated = Line(), [], []

    def evaluate(stop: object) -> tuple[float, int]:
        evaluated.append(float(job.module.weight.detach()))
        return valid[len(evaluated) - 1], 1

    def look(event: object) -> None:
        if not isinstance(event, Evaluation):
            weights.append(float(job.module.weight.detach()))

    job.evaluate = evaluate
    settings = replace(SETTINGS, optimizer="asgd", schedule="constant", lr=0.2, epochs=3, evaluate_every=1, patience=0)
    trained(job, settings, at=look)
    begin = next(k for k in range(6, 12) if valid[k] > min(valid[: k - 5]))
    assert begin == 7
    assert evaluated[: begin + 1] == weights[: begin + 1]
    for k in range(begin + 1, 12):
        mean = sum(weights[begin : k + 1]) / (k + 1 - begin)
        assert evaluated[k] == pytest.approx(mean, rel=1e-6)
    assert float(job.module.weight.detach()) == weights[-1]


def test_minutes_end_a_training() -> None:
    begin = time.monotonic()
    events = trained(Line(), replace(SETTINGS, epochs=None, minutes=0.2 / 60, patience=0))
    assert time.monotonic() - begin > 0.15
    assert isinstance(events.all[-1], Evaluation)
    assert events.steps[-1].fraction == 1


def test_patience_and_the_best() -> None:
    job = Line(valid=iter([3.0, 1.0, 2.0, 1.0, 5.0, 0.0]))
    events = trained(job, replace(SETTINGS, epochs=1000, evaluate_every=1, patience=3))
    assert [event.best for event in events.evaluations] == [True, True, False, False, False]
    assert events.outcome.best["step"] == 2


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_loss_that_is_no_number(optimizer: str) -> None:
    with pytest.raises(RunError, match="loss became nan at step 1"):
        trained(Line(scale=math.nan), replace(SETTINGS, optimizer=optimizer))
    with pytest.raises(RunError, match="loss became inf at step 8"):
        trained(Line(valid=iter([math.inf])), replace(SETTINGS, optimizer=optimizer))


def test_the_mode_of_the_module() -> None:
    job = Line()
    job.module.eval()
    fit(job, SETTINGS)
    assert job.module.training
    assert torch.is_grad_enabled()
