"""Language models from Python: they learn, are resumed, saved and loaded, and say what is wrong."""

import json
from pathlib import Path

import pytest
import torch

import recurra
from recurra import LanguageModel
from recurra.cli import main
from recurra.errors import RunError
from recurra.runtime import score
from recurra.tasks import Evaluation, Step, TrainingOutcome

SMALL = {"hidden": 12, "seq_len": 16, "batch_size": 4, "dropout": 0.1}
BRIEF = {"epochs": 2, "lr": 0.02, "evaluate_every": 20}


class Follower:
    def __init__(self) -> None:
        self.seen: list[Step | Evaluation | TrainingOutcome] = []

    def on_step(self, step: Step) -> None:
        self.seen.append(step)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self.seen.append(evaluation)

    def on_end(self, outcome: TrainingOutcome) -> None:
        self.seen.append(outcome)


@pytest.mark.parametrize("level", ["char", "byte", "word"])
def test_it_learns_and_survives_a_file(small_text: str, tmp_path: Path, level: str) -> None:
    follower = Follower()
    model = LanguageModel(level=level, **SMALL).fit(small_text, callbacks=[follower], **BRIEF)
    assert isinstance(follower.seen[0], Step)
    assert follower.seen[-1] is model.outcome
    before = model.evaluate(small_text)
    assert before.perplexity < len(model.vocabulary) / 2
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = LanguageModel.load(path)
    assert again.evaluate(small_text).total == before.total
    assert again.sample("the ", length=20, seed=3) == model.sample("the ", length=20, seed=3)
    assert score(recurra.runtime.load(path), small_text).total == before.total


def test_the_module_is_the_model(small_text: str) -> None:
    model = LanguageModel(**SMALL).fit(small_text, **BRIEF)
    ids = torch.from_numpy(model.vocabulary.prompt("the cat")).unsqueeze(1)
    with torch.no_grad():
        logits, _ = model.module(ids)
    expected, _ = model.runtime(ids.numpy())
    assert torch.allclose(logits, torch.from_numpy(expected), atol=1e-6)


def test_a_run_of_python_is_one_of_the_command_line(small_text: str, tmp_path: Path) -> None:
    book, run = tmp_path / "book.txt", tmp_path / "run"
    book.write_text(small_text)
    model = LanguageModel(**SMALL).fit(book, out=run, **BRIEF)
    options = ["--hidden", "12", "--seq-len", "16", "--batch-size", "4", "--dropout", "0.1"]
    options += ["--epochs", "2", "--lr", "0.02", "--eval-every", "20"]
    assert main(["text", "train", str(book), "--out", str(tmp_path / "other"), *options]) == 0
    assert (run / "model.safetensors").read_bytes() == (tmp_path / "other" / "model.safetensors").read_bytes()
    finished = LanguageModel.resume(run)
    assert finished.evaluate(book).total == model.evaluate(book).total
    assert finished.settings is not None
    assert LanguageModel.load(run).settings == finished.settings
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert finished.outcome is not None
    assert finished.outcome.best == min(rows, key=lambda row: row["valid_loss"])


def test_what_is_wrong_is_said(small_text: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--hidden"):
        LanguageModel(hidden=0)
    model = LanguageModel(**SMALL)
    for use in (lambda: model.sample(), lambda: model.evaluate("the"), lambda: model.save(tmp_path / "x")):
        with pytest.raises(RunError, match="not trained yet"):
            use()
    with pytest.raises(RunError, match="--lr"):
        model.fit(small_text, lr=-1)
    with pytest.raises(RunError, match="no such file"):
        model.fit(tmp_path / "missing")
    with pytest.raises(RunError, match="is empty"):
        model.fit("")
    with pytest.raises(RunError, match="exists already"):
        model.fit(small_text, out=tmp_path)
    assert "not trained yet" in repr(model)
    model.fit(small_text, epochs=1)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(RunError, match="no settings to train with"):
        LanguageModel.load(tmp_path / "model.safetensors").fit(small_text)
