"""sample, eval and score: every bad input leads to one line on stderr and exit code 2, and nothing is written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import recurra
from tests.cli.refusals import everything, refused

Call = Any

OPTIONS = {
    "--temperature": ["-1", "nan", "inf", "x"],
    "--length": ["0", "-3", "x", "1.5", "9" * 30],
    "--top-k": ["-1", "x", "1.5", "9" * 30],
    "--top-p": ["0", "-0.1", "1.1", "nan", "x"],
    "--min-p": ["-0.1", "1.5", "nan", "x"],
    "--repetition-penalty": ["0", "-1", "nan", "inf", "1000", "x"],
    "--stop": [""],
    "--seed": ["-1", "x", "9" * 30],
    "--prompt": ["naïve", "a\udce9"],
    "--unknown": ["1"],
}
TEXTS = {
    "missing": "no such file",
    "folder": "is a folder",
    "empty": "is empty",
    "binary": "NUL byte",
    "latin": "not UTF-8",
    "blank": "nothing but white space",
}
COMMANDS = ("sample", "eval", "score")


@pytest.mark.parametrize(("option", "value"), [(option, value) for option, row in OPTIONS.items() for value in row])
def test_options_of_sample(call: Call, runs: Path, option: str, value: str) -> None:
    message = "U+" if option == "--prompt" else option
    refused(call("text", "sample", runs / "char", option, value), message)
    refused(call("text", "sample", runs / "char", "--json", option, value), message)


@pytest.mark.parametrize("command", COMMANDS[1:])
@pytest.mark.parametrize(("name", "message"), TEXTS.items())
def test_texts(call: Call, files: Path, runs: Path, command: str, name: str, message: str) -> None:
    (files / "blank").write_text(" \n\n ")
    before = everything(files)
    out = ("--out", files / "scores.jsonl") if command == "score" else ("--json",)
    refused(call("text", command, runs / "char", files / name, *out), message)
    assert everything(files) == before


def test_the_number_of_lanes(call: Call, runs: Path) -> None:
    for value in ("0", "-1", "x", "9" * 30):
        refused(call("text", "eval", runs / "char", runs / "text.txt", "--batch-size", value), "--batch-size")


@pytest.mark.parametrize("command", COMMANDS)
def test_not_a_run(call: Call, files: Path, command: str) -> None:
    before = everything(files)
    file = [] if command == "sample" else [files / "text.txt"]
    refused(call("text", command, files / "missing", *file), "no such run folder")
    for name in ("folder", "text.txt", "empty", "binary", "short"):
        refused(call("text", command, files / name, *file), "not a run folder")
    refused(call("text", command), "Missing argument")
    recurra.save(recurra.nn.LSTM(3, 4), files / "model.safetensors")
    refused(call("text", command, files / "model.safetensors", *file), "no language model")
    (files / "model.safetensors").unlink()
    assert everything(files) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_damaged_run(call: Call, runs: Path, tmp_path: Path, command: str, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "char", run)
    file = [] if command == "sample" else [runs / "text.txt"]
    whole = (run / name).read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[::-1]):
        (run / name).write_bytes(content)
        refused(call("text", command, run, *file), "damaged")
        if name == "model.safetensors":  # the file alone, as an exported one
            refused(call("text", command, run / name, *file), "not a run folder, and no exported file either")
    (run / name).unlink()
    refused(call("text", command, run, *file), name)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "series"}, "is a run of the task 'series', not of 'text'"),
        ({"format": 99}, "format"),
        ({"model": {}}, "damaged: 'model' must hold"),
        ({"vocabulary": {"level": "char", "tokens": "xyz"}}, "does not fit config.json"),
    ],
)
def test_another_run(
    call: Call, runs: Path, tmp_path: Path, command: str, change: dict[str, object], message: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "char", run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, **change}))
    file = [] if command == "sample" else [runs / "text.txt"]
    refused(call("text", command, run, *file), message)


def test_weights_of_another_run(call: Call, runs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "char", run)
    shutil.copy(runs / "word" / "model.safetensors", run)
    refused(call("text", "sample", run), "does not fit config.json")


def test_scores_that_cannot_be_written(call: Call, runs: Path, files: Path) -> None:
    before = everything(files)
    command = ("text", "score", runs / "char", runs / "text.txt", "--out")
    refused(call(*command, files / "folder"), "cannot be written: Is a directory")
    refused(call(*command, files / "nowhere" / "scores.jsonl"), "cannot be written: No such file or directory")
    refused(call(*command, files / "short" / "scores.jsonl"), "cannot be written: Not a directory")
    assert everything(files) == before
