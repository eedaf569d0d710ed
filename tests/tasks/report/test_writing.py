"""The report at a training's end: it changes nothing else, is written again when it is old, and never loses a run."""

import json
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recurra.tasks.report import writing
from recurra.tasks.report.writing import end_with_report, write_report
from recurra.tasks.run import open_run
from recurra.tasks.text.corpus import make_corpus, split_text
from recurra.tasks.text.job import TextJob, create_text_run, train_text
from recurra.tasks.text.settings import TextSettings


def draws() -> list[object]:
    """The next draws of all generators, which then are as before."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    drawn = [random.random(), float(np.random.rand()), float(torch.rand(()))]
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    return drawn


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report.html"}


@pytest.mark.parametrize("name", ["lstm", "direct", "paths"])
def test_nothing_else_changes(made: Path, tmp_path: Path, name: str) -> None:
    run = Path(shutil.copytree(made / name, tmp_path / "run"))
    before, drawn, count = files(run), draws(), torch.get_num_threads()
    write_report(run)
    assert (files(run), draws(), torch.get_num_threads()) == (before, drawn, count)


def test_trained_with_and_without(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    """The report leaves no trace in the model."""
    settings = replace(small_settings, training=replace(small_settings.training, epochs=1))
    for name, reports in (("with", True), ("without", False)):
        job = TextJob(make_corpus(*split_text(small_text), settings), settings)
        train_text(job, create_text_run(job, tmp_path / name), reports=reports)
    assert (tmp_path / "with" / "report.html").is_file()
    assert not (tmp_path / "without" / "report.html").exists()
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("with", "without")]
    assert models[0] == models[1]


def test_it_follows_the_checkpoint(made: Path, tmp_path: Path) -> None:
    run = open_run(Path(shutil.copytree(made / "lstm", tmp_path / "run")))
    warnings: list[str] = []
    run.report.write_text("old")
    end_with_report(run, warnings.append)
    assert run.report.read_text() == "old"  # it is newer than the checkpoint
    os.utime(run.report, (1, 1))
    torn = run.folder / f".{24 * 'a'}.tmp"
    torn.write_text("half of a report")
    end_with_report(run, warnings.append)
    assert not torn.exists()
    assert run.report.read_text().startswith("<!doctype html>")
    assert warnings == []


@pytest.mark.parametrize("error", [RuntimeError("a\nb"), MemoryError(), OSError(28, "No space left")])
def test_a_failure_is_a_warning(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    run = open_run(Path(shutil.copytree(made / "lstm", tmp_path / "run")))
    run.report.unlink()

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(writing, "report_page", fail)
    warnings: list[str] = []
    end_with_report(run, warnings.append)
    (line,) = warnings
    assert line.startswith(f"{run.report} is not written: ")
    assert "\n" not in line


def test_a_place_that_cannot_be_written(made: Path, tmp_path: Path) -> None:
    run = open_run(Path(shutil.copytree(made / "lstm", tmp_path / "run")))
    run.report.unlink()
    run.report.mkdir()
    os.utime(run.report, (1, 1))
    warnings: list[str] = []
    end_with_report(run, warnings.append)
    assert len(warnings) == 1
    assert "report.html cannot be written" in warnings[0]


def test_an_old_run_is_reported_on(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "lstm", tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    del config["made"]
    (run / "config.json").write_text(json.dumps(config))
    assert "recurra text train" not in write_report(run).read_text().split("to go on")[0]
