"""`torchrun -m recurra text train`: signals, a process that dies, errors that are told once, runs that go on."""

import json
import shutil
import time

import pytest

from tests.launches import started, torchrun

pytestmark = pytest.mark.slow

SIZES = ("--hidden", "12", "--layers", "2", "--dropout", "0.1", "--seq-len", "16", "--batch-size", "2")
BUDGET = ("--epochs", "15", "--lr", "0.02", "--eval-every", "50", "--patience", "0", "--checkpoint-minutes", "0.01")
TIMES = {"seconds", "tokens_per_second"}


def told(errors):
    """The lines of recurra among those of torchrun; no traceback leads through recurra."""
    assert "src/recurra" not in errors
    return [line for line in errors.splitlines() if line.startswith("recurra: ")]


def rows(run):
    """The rows of metrics.jsonl, without times; none while there is no such file."""
    try:
        lines = (run / "metrics.jsonl").read_text().splitlines()
    except FileNotFoundError:  # a run that goes on from before its first evaluation removes it
        return []
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def finish(count, run, *arguments):
    """Train in so many processes until the end."""
    processes = started(count, "-m", "recurra", "text", "train", *arguments)
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, errors
    return (run / "model.safetensors").read_bytes()


def interrupted(agent, run):
    """End torchrun by SIGTERM after two more evaluations; its errors."""
    try:
        before = len(rows(run))
        while len(rows(run)) < before + 2:
            assert agent.poll() is None
            time.sleep(0.02)
    finally:
        agent.terminate()
        errors = agent.communicate(timeout=60)[1]
    return errors


def test_a_run_that_loses_a_process_and_is_stopped_goes_on_exactly(call, text_file, tmp_path):
    train = (text_file, *SIZES, *BUDGET, "--out")
    whole, run, other = tmp_path / "whole", tmp_path / "run", tmp_path / "other"
    model = finish(2, whole, *train, whole)

    agent = torchrun(2, "-m", "tests.cli.dying", run / "metrics.jsonl", "text", "train", *train, run)
    errors = agent.communicate(timeout=120)[1]
    assert agent.returncode != 0
    (line,) = told(errors)
    assert "one of the 2 processes has ended" in line
    assert line.endswith(f"to go on from the last checkpoint: torchrun … -m recurra text train --resume {run}")
    shutil.copytree(run, other)

    errors = interrupted(torchrun(2, "-m", "recurra", "text", "train", "--resume", run), run)
    (line,) = told(errors)
    assert "interrupted after step" in line

    assert finish(2, run, "--resume", run) == model
    assert rows(run) == rows(whole)

    # One process goes on with all four lanes.
    code, out, err = call("text", "train", "--resume", other)
    assert (code, err) == (0, "")
    found, expected = rows(other), rows(whole)
    assert [row["step"] for row in found] == [row["step"] for row in expected]
    assert found != expected  # the rows since the checkpoint are measured anew, and are not the same to the bit
    assert found[-1]["train_loss"] < found[0]["train_loss"] / 3
    assert call("text", "train", "--resume", other, "--batch-size", 4)[0] == 0  # it is the number of all lanes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("text.txt", "--out", "folder"), "folder exists already"),  # process 0 alone sees it
        (("missing", "--out", "run"), "no such file"),  # all see it
        (("text.txt", "--out", "run", "--hidden", "0"), "--hidden must be"),  # before they have met
        (("text.txt", "--out", "run", "--seq-len", "1000"), "3 processes need as many lanes of text, and there are 1"),
    ],
)
def test_an_error_is_told_once(text_file, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    agent = torchrun(3, "-m", "recurra", "text", "train", *arguments)
    out, errors = agent.communicate(timeout=120)
    assert agent.returncode != 0
    (line,) = told(errors)
    assert message in line
    assert out == ""
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", "folder"}
