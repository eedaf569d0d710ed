"""`recurra report` and the reports that trainings write at their end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recurra.cli import console
from recurra.tasks.training.events import Step
from tests.cli.refusals import refused

Call = Any


def test_written_again(call: Call, runs: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs / "char", tmp_path / "run"))
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert call("report", run) == (0, f"The report is in {run / 'report.html'}\n", "")
    assert (run / "report.html").read_bytes() == page.replace(b"char: a", b"run: a")
    code, out, err = call("report", run, "--json")
    assert (code, json.loads(out), err) == (0, {"report": str(run / "report.html")}, "")


def test_without_torch(runs: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs / "char", tmp_path / "char"))
    (run / "report.html").unlink()
    program = (
        "import sys; sys.modules['torch'] = None; from recurra.cli import main\n"
        f"sys.exit(main(['report', {str(run)!r}]) or main(['compare', {str(run)!r}, {str(runs / 'word')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    page = (run / "report.html").read_text()
    assert "They need torch, which is not installed here." in page
    assert "perplexity" in page


def test_refusals(call: Call, runs: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs / "char", tmp_path / "run"))
    refused(call("report", tmp_path / "none"), "there is no such run folder")
    refused(call("report", tmp_path), "is not a run folder")
    (run / "metrics.jsonl").write_text("{\n")
    refused(call("report", run), "metrics.jsonl is damaged")
    refused(call("compare", run, runs / "char"), "metrics.jsonl is damaged")
    (run / "model.safetensors").write_bytes(b"")
    (run / "metrics.jsonl").unlink()
    refused(call("report", run), "model.safetensors is damaged")


def test_interrupted_and_resumed(
    call: Call, train: Call, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of an interrupted run says how to go on, and is replaced at the end."""
    run, right = tmp_path / "run", console.Reporter.on_step

    def interrupt(self: console.Reporter, step: Step) -> None:
        right(self, step)
        if step.step == 15:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(console.Reporter, "on_step", interrupt)
        assert train(text_file, "--out", run)[0] == 130
    assert f"The training was stopped after 15 updates; to go on: recurra text train --resume {run}" in (
        page := (run / "report.html").read_text()
    )
    assert call("text", "train", "--resume", run)[0] == 0
    finished = (run / "report.html").read_text()
    assert "The training is finished" in finished
    assert finished != page
    assert "recurra text train --hidden 12 --seq-len 16" in finished  # the command that made it, not the last one
    os.utime(run / "report.html", (1, 1))  # a kill before the report of the end was written
    assert call("text", "train", "--resume", run)[0] == 0
    assert (run / "report.html").read_text() == finished


def test_no_report_without_a_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recurra import LanguageModel
    from recurra.tasks.text import job

    monkeypatch.setattr(job, "end_with_report", lambda *_: pytest.fail("written into a folder that nobody keeps"))
    LanguageModel(hidden=8, seq_len=8, batch_size=2).fit("to be or not\n" * 20, epochs=1)
