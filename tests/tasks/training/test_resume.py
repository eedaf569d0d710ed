"""A training that was interrupted anywhere and goes on ends as one that never was: the same bits and rows."""

import json
import math
import os
import random
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recurra.errors import RunError
from recurra.tasks.run import RunFolder, create_run
from recurra.tasks.training.checkpoint import read_checkpoint
from recurra.tasks.training.clock import RECORD
from recurra.tasks.training.events import Evaluation, TrainingOutcome
from recurra.tasks.training.keeping import Keeper
from recurra.tasks.training.loop import finished_outcome, fit
from recurra.tasks.training.settings import TrainingSettings
from tests.tasks.training.jobs import Events, Line, Series

BASE = TrainingSettings("adamw", 0.02, epochs=3, evaluate_every=4, patience=0, clip=0.5)
KINDS = {
    "adamw": BASE,
    "adam, plateau": replace(BASE, optimizer="adam", schedule="plateau", weight_decay=0.01),
    "adagrad": replace(BASE, optimizer="adagrad", schedule="wsd"),
    "sgd, accumulated": replace(BASE, optimizer="sgd", accumulate=2, warmup=4, evaluate_every=2),
    "asgd": replace(BASE, optimizer="asgd", schedule="constant", lr=0.5, evaluate_every=1),
}
TIMES = ("rows_per_second", "seconds")


class Stop(Exception):
    """A process ends here, without a word, as by a kill."""


def rows(run: RunFolder) -> list[dict[str, float]]:
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def end_of(run: RunFolder, job: Series) -> tuple[object, ...]:
    """All that two trainings must have in common in the end."""
    checkpoint = read_checkpoint(run.checkpoint, run.fingerprint)
    progress = replace(checkpoint.progress, seconds=0.0, training_seconds=0.0)
    tensors = {name: tensor.numpy().tobytes() for name, tensor in checkpoint.tensors.items()}
    weights = [parameter.detach().numpy().tobytes() for parameter in job.module.parameters()]
    model = (run.folder / "model.safetensors").read_bytes()
    names = sorted(path.name for path in run.folder.iterdir())
    return progress, tensors, weights, model, rows(run), names


def whole(folder: Path, settings: TrainingSettings, **options: object) -> tuple[object, ...]:
    run, job = create_run(folder, {"task": "test"}), Series(**options)
    seeded()
    fit(job, settings, run)
    return end_of(run, job)


def seeded() -> None:
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)


def resumed(run: RunFolder, settings: TrainingSettings, at: object = None, **options: object) -> Series:
    """Go on as a new process would, whose generators are in any state."""
    job = Series(**options)
    torch.manual_seed(99)
    random.seed(99)
    fit(job, settings, run, [Events(at)], resumes=True)
    return job


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_a_signal_at_each_event(tmp_path: Path, settings: TrainingSettings) -> None:
    """The training is interrupted after each update and each evaluation, in turn, and goes on each time."""
    expected = whole(tmp_path / "whole", settings)
    run = create_run(tmp_path / "run", {"task": "test"})
    job, outcome, sittings = Series(), None, 0
    seeded()
    while outcome is None or not outcome.is_finished:
        sent = []

        def interrupt(event: object, sent: list[object] = sent) -> None:
            if not sent:
                sent.append(event)
                signal.raise_signal(signal.SIGTERM)

        outcome = fit(job, settings, run, [Events(interrupt)], resumes=sittings > 0)
        assert outcome.signal == (None if outcome.is_finished else signal.SIGTERM)
        sittings += 1
        if not outcome.is_finished:
            job = Series()
            torch.manual_seed(sittings)
    assert sittings > outcome.step
    assert end_of(run, job) == expected
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_an_end_without_a_word(tmp_path: Path, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends anywhere goes on from the checkpoint before; what it wrote after that is written again."""
    monkeypatch.setattr("recurra.tasks.training.keeping.LARGEST_SHARE", math.inf)  # each epoch ends with a checkpoint
    expected = whole(tmp_path / "whole", settings)
    for moment in (1, 7, 8, 14):
        run = create_run(tmp_path / f"run{moment}", {"task": "test"})
        count = 0

        def stop(event: object, moment: int = moment) -> None:
            nonlocal count
            count += 1
            if count == moment:
                raise Stop

        job = Series()
        seeded()
        try:
            fit(job, settings, run, [Events(stop)])
        except Stop:
            (run.folder / f".{24 * 'a'}.tmp").write_bytes(b"half of a file")
            job = resumed(run, settings)
        assert end_of(run, job) == expected


def test_float64(tmp_path: Path) -> None:
    expected = whole(tmp_path / "whole", BASE, dtype=torch.float64)
    run = create_run(tmp_path / "run", {"task": "test"})
    job = Series(torch.float64)
    seeded()
    fit(job, BASE, run, [Events(lambda event: event.step == 6 and signal.raise_signal(signal.SIGINT))])
    assert end_of(run, resumed(run, BASE, dtype=torch.float64)) == expected


def test_an_interrupt_inside_of_an_evaluation(tmp_path: Path) -> None:
    expected = whole(tmp_path / "whole", BASE)
    run, job = create_run(tmp_path / "run", {"task": "test"}), Series()
    right = job.evaluate

    def evaluate(stop: object) -> tuple[float, int] | None:
        signal.raise_signal(signal.SIGTERM)
        return right(stop)

    job.evaluate = evaluate
    seeded()
    events = Events()
    outcome = fit(job, BASE, run, [events])
    assert (outcome.step, outcome.best, outcome.signal, events.evaluations) == (4, None, signal.SIGTERM, [])
    again = Events()
    job = resumed(run, BASE, again.all.append)
    assert isinstance(again.all[0], Evaluation)
    assert again.all[0].step == 4
    assert end_of(run, job) == expected


def test_an_interrupt_inside_of_an_accumulated_update(tmp_path: Path) -> None:
    """The windows of the update are given up, and computed again with the same state and masks."""
    settings = KINDS["sgd, accumulated"]
    expected = whole(tmp_path / "whole", settings)
    run, job = create_run(tmp_path / "run", {"task": "test"}), Series()
    right, windows = job.loss, []

    def loss(window: int) -> tuple[torch.Tensor, int]:
        windows.append(window)
        if len(windows) == 8:  # the first of two windows, the third and fourth of the second epoch
            signal.raise_signal(signal.SIGTERM)
        return right(window)

    job.loss = loss
    seeded()
    outcome = fit(job, settings, run)
    assert (outcome.step, windows) == (4, [0, 1, 2, 3, 4, 0, 1, 2])
    assert end_of(run, resumed(run, settings)) == expected


def test_a_kill_before_the_first_checkpoint(tmp_path: Path) -> None:
    expected = whole(tmp_path / "whole", BASE)
    run, job = create_run(tmp_path / "run", {"task": "test"}), Series()
    (run.folder / f".{24 * 'a'}.tmp").write_bytes(b"half of a checkpoint")
    assert finished_outcome(run) is None
    seeded()
    fit(job, BASE, run, resumes=True)
    assert end_of(run, job) == expected
    run.checkpoint.unlink()
    with pytest.raises(RunError, match="is missing: the run cannot go on"):
        fit(Series(), BASE, run, resumes=True)


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", {"task": "test"})

    def interrupt(event: object) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(Series(), BASE, run, [Events(interrupt)])
    assert read_checkpoint(run.checkpoint, run.fingerprint).progress.step == 0


def test_a_finished_run(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", {"task": "test"})
    outcome = fit(Series(), BASE, run)
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    events = Events()
    assert fit(Series(), BASE, run, [events], resumes=True) == outcome == finished_outcome(run)
    assert (events.all, events.outcome) == ([], None)
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before


def test_minutes_are_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the kill a run with a time limit is repeated with the very rates it had, though time goes by otherwise."""
    settings = replace(BASE, epochs=None, minutes=2 / 60, evaluate_every=3, checkpoint_minutes=1000)
    pace = random.Random(1)
    monkeypatch.setattr(time, "monotonic", lambda: pace_of(pace))
    weights: list[list[bytes]] = [[], []]
    rates: list[list[float]] = [[], []]

    def watch(place: int, job: Series, last: int | None) -> object:
        def look(event: object) -> None:
            if not isinstance(event, Evaluation):
                weights[place].append(job.module.weight_hh_l0.detach().numpy().tobytes())
                rates[place].append(event.rate)
            if last is not None and event.step == last:
                raise Stop

        return look

    run, job = create_run(tmp_path / "run", {"task": "test"}), Series()
    seeded()
    monkeypatch.setattr(Keeper, "is_due", lambda self, ends_epoch: False)  # no checkpoint follows the first
    with pytest.raises(Stop):
        fit(job, settings, run, [Events(watch(0, job, 30))])
    assert run.journal.stat().st_size == 30 * RECORD.size
    with run.journal.open("ab") as file:
        file.write(b"torn")
    job = Series()
    outcome = fit(job, settings, run, [Events(watch(1, job, None))], resumes=True)
    assert outcome.is_finished
    assert weights[1][:30] == weights[0]
    assert rates[1][:30] == rates[0]
    assert len(set(rates[0])) == 30
    assert outcome.step > 30
    assert rates[1][29:] == sorted(rates[1][29:], reverse=True)
    assert not run.journal.exists()


def pace_of(pace: random.Random) -> float:
    pace_of.now += pace.uniform(0, 0.02)
    return pace_of.now


pace_of.now = 0.0


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_disk_that_is_full_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training goes on, says each problem once, and writes all when there is space again."""
    expected = whole(tmp_path / "whole", BASE)
    run, job, lines = create_run(tmp_path / "run", {"task": "test"}), Series(), []
    right, seen = os.fsync, []
    monkeypatch.setattr("recurra.tasks.training.keeping.LARGEST_SHARE", math.inf)  # each epoch ends with a checkpoint

    def look(event: object) -> None:
        if isinstance(event, Evaluation):
            monkeypatch.setattr(os, "fsync", full if event.step < 12 else right)
            seen.append(read_checkpoint(run.checkpoint, run.fingerprint).progress.step)

    seeded()
    fit(job, BASE, run, [Events(look)], warn=lines.append)
    assert end_of(run, job) == expected
    assert seen == [0, 0, 0, 0]  # the checkpoint of the beginning stays whole
    assert len(lines) == len(set(lines))
    assert {line.partition(" cannot")[0].rpartition("/")[2] for line in lines} <= {
        "checkpoint.safetensors", "metrics.jsonl", "model.safetensors"
    }  # fmt: skip
    assert any("checkpoint.safetensors cannot be written: No space left on device" in line for line in lines)


def test_a_disk_that_stays_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, job, lines = create_run(tmp_path / "run", {"task": "test"}), Series(), []

    def look(event: object) -> None:
        if event.step == 6:
            monkeypatch.setattr(os, "fsync", full)

    seeded()
    with pytest.raises(RunError, match=r"model\.safetensors cannot be written: No space left on device"):
        fit(job, BASE, run, [Events(look)], warn=lines.append)
    monkeypatch.undo()
    assert 1 <= len(lines) <= 3
    expected = whole(tmp_path / "whole", BASE)
    assert end_of(run, resumed(run, BASE)) == expected


def test_a_checkpoint_of_another_job(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", {"task": "test"})
    fit(Series(), replace(BASE, epochs=1), run, [Events(lambda event: signal.raise_signal(signal.SIGINT))])
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    others = [
        (Line(), BASE, "its weights have other names than the model's"),
        (Series(torch.float64), BASE, "weights of bias_hh_l0 have another shape or dtype"),
        (Series(), replace(BASE, optimizer="sgd"), "its optimizer have other names"),
    ]
    for job, settings, message in others:
        with pytest.raises(RunError, match=rf"checkpoint\.safetensors is damaged: .*{message}"):
            fit(job, settings, run, resumes=True)
    with pytest.raises(RunError, match="it belongs to another run"):
        fit(Series(), BASE, replace(run, config={"task": "other"}), resumes=True)
    with pytest.raises(RunError, match="without a run folder"):
        fit(Series(), BASE, resumes=True)
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before


def test_no_model_yet(tmp_path: Path) -> None:
    """A run that was interrupted before its first evaluation has the model of that moment."""
    run, job = create_run(tmp_path / "run", {"task": "test"}), Series()
    outcome = fit(job, BASE, run, [Events(lambda event: signal.raise_signal(signal.SIGINT))])
    assert outcome == TrainingOutcome(1, 1, None, signal.SIGINT)
    assert np.array_equal(run.read_model().weights["weight_hh_l0"].values(), job.module.weight_hh_l0.detach().numpy())
    shutil.rmtree(run.folder)
