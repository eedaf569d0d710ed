"""`recurra text train`: what it prints and writes, and interrupts by the user."""

import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from recurra.cli import console
from recurra.tasks.training.events import Step

Call = Any


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "min_gru"])
def test_train_sample_eval(train: Call, call: Call, text_file: Path, tmp_path: Path, cell: str) -> None:
    run = tmp_path / "a run"
    code, out, err = train(text_file, "--out", run, "--cell", cell, "--layers", 2, "--dropout", 0.1)
    assert (code, err) == (0, "")
    assert "perplexity" in out
    assert f"recurra text sample '{run}'" in out
    files = {"config.json", "model.safetensors", "metrics.jsonl", "checkpoint.safetensors", "report.html"}
    assert f"its report in {run / 'report.html'}" in out
    assert {path.name for path in run.iterdir()} == files
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    keys = "step epoch train_loss valid_loss perplexity bits_per_char tokens_per_second seconds lr"
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


def test_an_estimated_softmax(train: Call, text_file: Path, tmp_path: Path) -> None:
    _, out, _ = train(text_file, "--out", tmp_path / "a", "--sampled", 5)
    assert "training estimates the softmax over 5 of 15 tokens (--sampled)" in out
    for name, options in {"all": (), "more than all": ("--sampled", 16)}.items():
        assert "(--sampled)" not in train(text_file, "--out", tmp_path / name, *options)[1]
    code, out, _ = train(text_file, "--out", tmp_path / "c", "--sampled", 5, "--json")
    assert (code, json.loads(out.splitlines()[0])["sampled"]) == (0, 5)


def test_unknown_characters_are_counted(train: Call, text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("the cät sät on thé mat\n")
    code, _, err = train(text_file, "--out", tmp_path / "run", "--valid", tmp_path / "other.txt")
    assert code == 0
    assert "3 tokens ('ä', 'é') of the validation text" in err


def test_a_small_text_fills_fewer_windows(train: Call, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("the cat sat on the mat. " * 2)
    code, _, err = train(tmp_path / "small", "--out", tmp_path / "run")
    assert code == 0
    assert "--batch-size is 2" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("event", "kept"), [("on_step", "the model as it was"), ("on_evaluation", "of step 10")])
def test_interrupts(
    train: Call, call: Call, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, kept: str,
    number: int, code: int,
) -> None:  # fmt: skip
    train(text_file, "--out", tmp_path / "whole")
    run, right = tmp_path / "my run", getattr(console.Reporter, event)

    def interrupt(self: console.Reporter, what: object) -> None:
        right(self, what)
        signal.raise_signal(number)

    monkeypatch.setattr(console.Reporter, event, interrupt)
    found, _, err = train(text_file, "--out", run)
    assert found == code
    assert len(err.splitlines()) == 1
    assert kept in err
    assert f"recurra text sample '{run}' --prompt \"…\"" in err
    assert f"recurra text train --resume '{run}'" in err
    monkeypatch.undo()
    assert call("text", "sample", run, "--length", 5)[0] == 0
    assert call("text", "train", "--resume", run)[0] == 0
    assert (run / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    found, out, err = call("text", "train", "--resume", run)
    assert (found, out) == (0, "")
    assert f"the run {run} is finished" in err


def test_objects(train: Call, call: Call, text_file: Path, tmp_path: Path) -> None:
    code, out, err = train(text_file, "--out", tmp_path / "run", "--json")
    objects = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [each["event"] for each in objects if each["event"] != "step"] == ["begin", *["evaluation"] * 6, "end"]
    assert objects[0]["windows_per_epoch"] > 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [{**row, "event": "evaluation"} for row in rows] == [
        {name: value for name, value in each.items() if name != "best"} for each in objects if "best" in each
    ][:-1]
    assert objects[-1]["finished"] is True
    code, out, err = call("text", "train", "--resume", tmp_path / "run", "--json")
    assert json.loads(out) == objects[-1]


SAME = ("--hidden", "12", "--eval-every", "10", "--clip", "1", "--lr", "0.02")
OTHER = [
    (["--hidden", "13"], "--hidden contradicts the run, which goes on with its own settings: it is 12 there, not 13"),
    (["--eval-every", "11"], "--eval-every contradicts"),
    (["--epochs", "3"], "--epochs contradicts"),
    (["--no-carry"], "--carry contradicts"),
    (["--lr", "0.03", "--hidden", "12"], "--lr contradicts"),
    (["--optimizer", "sgd"], "--optimizer contradicts"),
    (["--valid", "text.txt"], "--valid contradicts"),
    (["other.txt"], "the files contradict"),
    (["--out", "new"], "leave out --out"),
]


@pytest.mark.parametrize(("arguments", "message"), OTHER, ids=lambda value: str(value)[:20])
def test_options_that_contradict_a_run(
    call: Call, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(runs)
    before = {path: path.read_bytes() for path in (runs / "char").iterdir()}
    assert call("text", "train", "--resume", "char", "text.txt", *SAME)[0] == 0
    code, out, err = call("text", "train", "--resume", "char", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert {path: path.read_bytes() for path in (runs / "char").iterdir()} == before


def test_files_that_have_changed(
    train: Call, call: Call, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.Reporter, "on_step", lambda self, step: signal.raise_signal(signal.SIGINT))
    run = tmp_path / "run"
    assert train(text_file, "--out", run)[0] == 130
    text = text_file.read_text()
    for changed in (text.replace("cat", "car"), text + "x"):
        text_file.write_text(changed)
        code, out, err = call("text", "train", "--resume", run)
        assert (code, out) == (2, "")
        assert err == f"recurra: {text_file} has changed since the run began; it goes on with the same text only\n"
    text_file.unlink()
    code, out, err = call("text", "train", "--resume", run)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "No such file" in err


def test_a_damaged_checkpoint(train: Call, call: Call, text_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(text_file, "--out", run)
    path = run / "checkpoint.safetensors"
    for content in (b"", path.read_bytes()[:-1], b"x" * 1000):
        path.write_bytes(content)
        before = {each: each.read_bytes() for each in run.iterdir()}
        code, out, err = call("text", "train", "--resume", run)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert f"{path} is damaged" in err
        assert {each: each.read_bytes() for each in run.iterdir()} == before
    path.unlink()
    assert f"{path} is missing: the run cannot go on" in call("text", "train", "--resume", run)[2]


def test_tensorboard(train: Call, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    code, out, err = train(text_file, "--out", tmp_path / "run", "--tensorboard")
    assert (code, out) == (2, "")
    assert err == "recurra: --tensorboard needs the package tensorboard: pip install tensorboard\n"
    assert not (tmp_path / "run").exists()


STEP = Step(step=7, epoch=2, fraction=0.25, loss=1.5, rate=0.1, items_per_second=12345.6, seconds=30.0)


def test_progress_on_a_terminal() -> None:
    screen, plain = io.StringIO(), io.StringIO()
    for stream, terminal in ((screen, True), (plain, False)):
        reporter = console.Reporter(
            Console(file=stream, force_terminal=terminal, markup=False, highlight=False, width=150)
        )
        with reporter:
            reporter.line("step 1 [bold]")
            reporter.on_step(STEP)
    assert "step 1 [bold]" in screen.getvalue()
    assert "25%" in screen.getvalue()
    assert "epoch 2, step 7, loss 1.500, 12,346 tokens/s, 1 min 30 s left" in screen.getvalue()
    assert "\x1b[" in screen.getvalue()
    assert plain.getvalue() == ""


def test_lines_without_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with console.Reporter() as reporter:
        reporter.line("x" * 300)
        reporter.on_step(STEP)
        assert capsys.readouterr().out == "x" * 300 + "\n"
        now = 131.0
        reporter.on_step(STEP)
        reporter.on_step(STEP)
    assert capsys.readouterr().out == " 25%  epoch 2, step 7, loss 1.500, 12,346 tokens/s, 1 min 30 s left\n"


def test_a_row_in_words() -> None:
    row = {"step": 3, "epoch": 1, "valid_loss": None, "mase": 0.5, "lr": 0.1, "rows_per_second": 9.0, "seconds": 2.0}
    assert console.describe(row) == "step      3  epoch   1  valid    inf  mase  0.500        9 rows/s      2 s"
    assert [console._duration(seconds) for seconds in (7.4, 90, 7300)] == ["7 s", "1 min 30 s", "2 h 1 min"]
