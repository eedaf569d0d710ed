"""`recurra text tokenize`: its file takes the place of texts, and bad input leaves nothing behind."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from recurra.tasks.text.token_file import open_token_file
from tests.cli.conftest import TEXT, TINY
from tests.cli.refusals import everything, refused

Call = Any


@pytest.mark.parametrize("level", ["byte", "char", "word", "bpe"])
def test_a_run_of_tokens_is_that_of_its_texts(call: Call, tmp_path: Path, text_file: Path, level: str) -> None:
    options = ("--level", level, *(("--vocabulary-size", 270) if level == "bpe" else ()))
    code, out, err = call("text", "tokenize", text_file, "--out", tmp_path / "tokens", *options)
    assert (code, err) == (0, "")
    train, valid, vocabulary = open_token_file(tmp_path / "tokens")
    assert f"{len(train.tokens):,} tokens to train on ({train.characters:,} characters" in out
    assert f"{len(valid.tokens):,} tokens to validate on ({valid.characters:,} characters" in out
    assert f"The vocabulary has {len(vocabulary)} tokens" in out
    assert call("text", "train", text_file, "--out", tmp_path / "a", *options, *TINY)[0] == 0
    assert call("text", "train", tmp_path / "tokens", "--out", tmp_path / "b", *TINY)[0] == 0
    models = [(tmp_path / run / "model.safetensors").read_bytes() for run in "ab"]
    assert models[0] == models[1]
    assert call("text", "train", "--resume", tmp_path / "b")[0] == 0
    sampled = [call("text", "sample", tmp_path / run, "--seed", 1, "--length", 20) for run in "ab"]
    assert sampled[0] == sampled[1]
    assert sampled[0][0] == 0


def test_bytes_of_any_kind(call: Call, files: Path) -> None:
    (files / "data").write_bytes(bytes(range(256)) * 20)
    options = ("--level", "byte")
    assert call("text", "tokenize", files / "data", "--out", files / "tokens", *options)[0] == 0
    assert open_token_file(files / "tokens")[0].tokens[:256].tolist() == list(range(256))
    assert call("text", "train", files / "data", "--out", files / "run", *options, *TINY)[0] == 0
    code, out, _ = call("text", "eval", files / "run", files / "data", "--json")
    assert (code, json.loads(out)["bytes"], json.loads(out)["tokens"]) == (0, 5120, 5120)


def test_json(call: Call, tmp_path: Path, text_file: Path) -> None:
    (tmp_path / "valid").write_text("the cat sat on a chair\n")
    code, out, err = call(
        *("text", "tokenize", text_file, "--out", tmp_path / "tokens", "--level", "word", "--json"),
        *("--valid", tmp_path / "valid", "--vocabulary-size", 6, "--min-count", 3),
    )
    assert (code, err) == (0, "")
    words, characters = len(TEXT.split()) + TEXT.count("\n"), len(TEXT)
    assert json.loads(out) == {
        "file": str(tmp_path / "tokens"),
        "level": "word",
        "vocabulary": 6,
        "train": {"tokens": words, "characters": characters, "bytes": characters, "unknown": 40 * 3},
        "valid": {"tokens": 7, "characters": 23, "bytes": 23, "unknown": 2},
    }


def test_unknown_tokens_are_noted(call: Call, tmp_path: Path, text_file: Path) -> None:
    (tmp_path / "valid").write_text("the zebra\n")
    arguments = ("--valid", tmp_path / "valid", "--level", "word")
    code, _, err = call("text", "tokenize", text_file, "--out", tmp_path / "tokens", *arguments)
    assert (code, err) == (
        0,
        "recurra: note: 1 tokens ('zebra') of the validation text are not in the vocabulary\n",
    )


BAD = [
    (["missing"], "no such file"),
    (["folder"], "is a folder"),
    (["empty"], "is empty"),
    (["binary"], "NUL byte at position 4"),
    (["latin"], "not UTF-8 text"),
    (["text.txt", "latin"], "not UTF-8 text"),
    (["text.txt", "--valid", "latin"], "not UTF-8 text"),
    (["text.txt", "--valid", "missing"], "no such file"),
    (["text.txt", "--level", "bits"], "--level must be one of byte, char, word, bpe"),
    (["text.txt", "--level", "bpe", "--vocabulary-size", "256"], "--vocabulary-size must be"),
    (["text.txt", "--level", "bpe", "--vocabulary-size", "100000"], "--vocabulary-size must be at most 65536"),
    (["text.txt", "--level", "byte", "--vocabulary-size", "100"], "leave out --min-count and --vocabulary-size"),
    (["text.txt", "--min-count", "100000"], "the vocabulary is empty"),
    (["text.txt", "--min-count", "0"], "--min-count must be"),
    (["text.txt", "--out", "text.txt"], "exists already"),
    (["text.txt", "--out", "missing/tokens"], "cannot be written: No such file"),
    (["tokens"], "is a token file already"),
    ([], "Missing argument"),
]


@pytest.fixture
def tokens(call: Call, files: Path) -> Path:
    assert call("text", "tokenize", files / "text.txt", "--out", files / "tokens")[0] == 0
    return files / "tokens"


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(row[0]) for row in BAD])
@pytest.mark.usefixtures("tokens")
def test_bad_input(
    call: Call, files: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(files)
    before = everything(files)
    out = [] if "--out" in arguments else ["--out", "made"]
    refused(call("text", "tokenize", *arguments, *out), message)
    assert everything(files) == before


def test_bad_token_files(call: Call, files: Path, tokens: Path) -> None:
    content = tokens.read_bytes()
    (files / "cut").write_bytes(content[:-100])
    (files / "changed").write_bytes(content[:100] + b"\0" + content[101:])
    (files / "newer").write_bytes(content[:15] + b"\2" + content[16:])
    (files / "few").write_text("abcabc")
    assert call("text", "tokenize", files / "few", "--out", files / "short-tokens")[0] == 0
    before = everything(files)
    for name, message in (
        ("cut", "is damaged: it was cut short"),
        ("changed", "is damaged: its tokens are not those that were written"),
        ("newer", "is a token file of version 2; this recurra reads version 1"),
        ("short-tokens", "the text is too short"),
    ):
        refused(call("text", "train", files / name, "--out", files / "run"), message)
    for options in (("--level", "word"), ("--min-count", 2), ("--valid", files / "few"), ("--vocabulary-size", 9)):
        message = f"has its own vocabulary and texts: leave out {options[0]}"
        refused(call("text", "train", tokens, "--out", files / "run", *options), message)
    refused(call("text", "train", tokens, files / "text.txt", "--out", files / "run"), "give no other text")
    assert everything(files) == before


def test_a_pipe_is_refused(call: Call, files: Path) -> None:
    os.mkfifo(files / "pipe")
    refused(call("text", "tokenize", files / "pipe", "--out", files / "tokens"), "is a pipe")
    assert not (files / "tokens").exists()
