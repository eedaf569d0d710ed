"""`recurra text train`: what it prints and writes, and interrupts by the user."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from recurra.cli import console
from recurra.cli.text.train import _sample_hint

Call = Any


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "min_gru"])
def test_train_sample_eval(train: Call, call: Call, text_file: Path, tmp_path: Path, cell: str) -> None:
    run = tmp_path / "a run"
    code, out, err = train(text_file, "--out", run, "--cell", cell, "--layers", 2, "--dropout", 0.1)
    assert (code, err) == (0, "")
    assert "perplexity" in out
    assert f"recurra text sample '{run}'" in out
    assert {path.name for path in run.iterdir()} == {"config.json", "model.safetensors", "metrics.jsonl"}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    keys = "step epoch train_loss valid_loss perplexity bits_per_char tokens_per_second seconds"
    assert all(list(row) == keys.split() for row in rows)
    code, out, err = call("text", "sample", run, "--prompt", "the ", "--length", 50, "--seed", 1)
    assert (code, err, len(out)) == (0, "", 4 + 50 + 1)
    assert out.startswith("the ")
    assert call("text", "eval", run, text_file)[0] == 0


def test_several_files_and_sgd(train: Call, text_file: Path, tmp_path: Path) -> None:
    extra = ("--optimizer", "sgd", "--lr", 1, "--clip", "inf", "--minutes", 1, "--valid", text_file)
    code, _, _ = train(text_file, text_file, "--out", tmp_path / "run", *extra)
    assert code == 0
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert (training["optimizer"], training["clip"], training["lr"]) == ("sgd", None, 1.0)


def test_unknown_characters_are_counted(train: Call, text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("the cät sät on thé mat\n")
    code, _, err = train(text_file, "--out", tmp_path / "run", "--valid", tmp_path / "other.txt")
    assert code == 0
    assert "3 tokens ('\\xe4', '\\xe9') of the validation text" in err


def test_a_small_text_fills_fewer_windows(train: Call, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("the cat sat on the mat. " * 2)
    code, _, err = train(tmp_path / "small", "--out", tmp_path / "run")
    assert code == 0
    assert "--batch-size is 2" in err


@pytest.mark.parametrize(("moment", "kept"), [("progress", "the model as it was"), ("line", "of step 10")])
def test_ctrl_c(
    train: Call, call: Call, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, kept: str
) -> None:
    def interrupt(self: console.Reporter, *arguments: object) -> None:
        if moment == "progress" or str(arguments[0]).startswith("step"):
            raise KeyboardInterrupt

    monkeypatch.setattr(console.Reporter, moment, interrupt)
    code, _, err = train(text_file, "--out", tmp_path / "run")
    assert code == 130
    assert len(err.splitlines()) == 1
    assert kept in err or moment == "line"
    assert "recurra text sample" in err
    monkeypatch.undo()
    assert call("text", "sample", tmp_path / "run", "--length", 5)[0] == 0


def test_progress_on_a_terminal(runs: Path) -> None:
    screen, plain = io.StringIO(), io.StringIO()
    for stream, terminal in ((screen, True), (plain, False)):
        reporter = console.Reporter(Console(file=stream, force_terminal=terminal, markup=False, highlight=False))
        with reporter:
            reporter.line("step 1 [bold]")
            reporter.progress(0.5, "loss 1.0")
    assert "step 1 [bold]" in screen.getvalue()
    assert "50%" in screen.getvalue()
    assert "\x1b[" in screen.getvalue()
    assert plain.getvalue() == ""


def test_a_line_is_plain_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.Reporter() as reporter:
        reporter.line("x" * 300)
        reporter.progress(0.5, "unseen")
    assert capsys.readouterr().out == "x" * 300 + "\n"


def test_hints_can_be_pasted() -> None:
    assert _sample_hint(Path("my run")) == "recurra text sample 'my run' --prompt \"…\""
