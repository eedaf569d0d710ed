"""Every bad input leads to one line on stderr and exit code 2, and nothing is written."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.refusals import everything, refused

Call = Any


TRAIN = [
    (["missing"], "no such file"),
    (["folder"], "is a folder"),
    (["empty"], "is empty"),
    (["binary"], "NUL byte"),
    (["latin"], "not UTF-8"),
    (["short"], "too short"),
    (["shorter"], "too short"),
    (["text.txt", "missing"], "no such file"),
    (["text.txt", "--valid", "empty"], "is empty"),
    (["text.txt", "--out", "folder"], "exists already"),
    (["text.txt", "--out", "short"], "exists already"),
    (["text.txt", "--out", "short/run"], "Not a directory"),
    (["text.txt", "--cell", "lstn"], "--cell must be one of"),
    (["text.txt", "--level", "bits"], "--level must be one of byte, char, word, bpe"),
    (["text.txt", "--min-count", "100000"], "vocabulary is empty"),
    (["text.txt", "--unknown"], "--unknown"),
    ([], "Missing argument"),
]
NUMBERS = {
    "--hidden": ["0", "-1", "1.5", "nan", "x", "9" * 30],
    "--layers": ["0", "-2", "1000"],
    "--dropout": ["-0.1", "1.1", "nan"],
    "--seq-len": ["0", "-1"],
    "--batch-size": ["0", "-1"],
    "--lr": ["0", "-1", "nan", "inf"],
    "--clip": ["0", "-1", "nan"],
    "--epochs": ["0", "-1", "0.5"],
    "--minutes": ["0", "-1", "nan", "inf"],
    "--seed": ["-1", "9" * 30],
    "--eval-every": ["0"],
    "--min-count": ["0"],
    "--encoding": ["klingon"],
    "--patience": ["-1"],
    "--optimizer": ["lion"],
}


@pytest.mark.parametrize(("arguments", "message"), TRAIN, ids=[" ".join(row[0]) for row in TRAIN])
def test_train(call: Call, files: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.chdir(files)
    before = everything(files)
    out = [] if "--out" in arguments else ["--out", "run"]
    refused(call("text", "train", "--epochs", 1, "--hidden", 4, *out, *arguments), message)
    assert everything(files) == before


@pytest.mark.parametrize(("option", "value"), [(option, value) for option, row in NUMBERS.items() for value in row])
def test_numbers(call: Call, files: Path, option: str, value: str) -> None:
    before = everything(files)
    refused(call("text", "train", files / "text.txt", "--out", files / "run", option, value), option)
    assert everything(files) == before


def test_no_folder_named(call: Call, files: Path) -> None:
    refused(call("text", "train", files / "text.txt"), "--out")


def test_not_permitted(call: Call, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    before = everything(files)
    monkeypatch.setattr(Path, "mkdir", refuse)
    arguments = ("text", "train", files / "text.txt", "--out", files / "run", "--hidden", 4)
    refused(call(*arguments), "cannot be made: Permission denied")
    monkeypatch.undo()
    monkeypatch.setattr(Path, "open", refuse)
    refused(call(*arguments), "cannot be read: Permission denied")
    monkeypatch.undo()
    assert everything(files) == before
