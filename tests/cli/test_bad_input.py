"""Every bad input leads to one line on stderr and exit code 2, and nothing is written."""

import shutil
from pathlib import Path
from typing import Any

import pytest

Call = Any


@pytest.fixture
def files(tmp_path: Path, text_file: Path) -> Path:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\0\1")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "short").write_text("abc")
    (tmp_path / "shorter").write_text("a")
    (tmp_path / "folder").mkdir()
    return tmp_path


def everything(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def refused(result: tuple[int, str, str], message: str) -> None:
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("recurra: ")
    assert message in err


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


SAMPLE = [
    (["--temperature", "-1"], "--temperature"),
    (["--temperature", "nan"], "--temperature"),
    (["--length", "0"], "--length"),
    (["--length", "x"], "--length"),
    (["--top-k", "-1"], "--top-k"),
    (["--seed", "-1"], "--seed"),
    (["--prompt", "naïve"], "U+00EF"),
    (["--prompt", "a\udce9"], "U+DCE9"),
]


@pytest.mark.parametrize(("arguments", "message"), SAMPLE)
def test_sample(call: Call, runs: Path, arguments: list[str], message: str) -> None:
    refused(call("text", "sample", runs / "char", *arguments), message)


@pytest.mark.parametrize("command", ["sample", "eval"])
def test_not_a_run(call: Call, files: Path, command: str) -> None:
    file = [files / "text.txt"] if command == "eval" else []
    refused(call("text", command, files / "missing", *file), "no such run folder")
    refused(call("text", command, files / "folder", *file), "not a run folder")
    refused(call("text", command, files / "text.txt", *file), "not a run folder")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_damaged_run(call: Call, runs: Path, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "char", run)
    whole = (run / name).read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[::-1]):
        (run / name).write_bytes(content)
        refused(call("text", "sample", run), "damaged")
    (run / name).unlink()
    refused(call("text", "sample", run), name)


def test_weights_of_another_run(call: Call, runs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "char", run)
    shutil.copy(runs / "word" / "model.safetensors", run)
    refused(call("text", "sample", run), "does not fit config.json")


@pytest.mark.parametrize(("name", "message"), [("missing", "no such"), ("folder", "folder"), ("latin", "UTF-8")])
def test_eval(call: Call, files: Path, runs: Path, name: str, message: str) -> None:
    refused(call("text", "eval", runs / "char", files / name), message)
    refused(call("text", "eval", runs / "char", files / "text.txt", "--batch-size", 0), "--batch-size")
