"""`recurra text eval`: its lines, its JSON, and unknown tokens."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from recurra.tasks.text.reading import split_text

Call = Any


def test_lines(call: Call, runs: Path) -> None:
    code, out, err = call("text", "eval", runs / "char", runs / "text.txt")
    assert (code, err) == (0, "")
    assert [line[:20].rstrip() for line in out.splitlines()] == [
        "perplexity",
        "bits per character",
        "bits per byte",
        "tokens",
        "unknown tokens",
        "vocabulary",
    ]
    assert "tokens              1840 (1840 characters, 1840 bytes)" in out
    assert "vocabulary          15 (level char)" in out


def test_words(call: Call, runs: Path) -> None:
    _, out, _ = call("text", "eval", runs / "word", runs / "text.txt")
    assert "tokens              560 (1840 characters, 1840 bytes)" in out
    assert "(level word)" in out


def test_unknown_characters_are_counted(call: Call, runs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("the cät sät on thé mat\n", encoding="utf-8")
    code, out, err = call("text", "eval", runs / "char", other)
    assert code == 0
    assert "unknown tokens      3" in out
    assert "tokens              23 (23 characters, 26 bytes)" in out
    assert len(err.splitlines()) == 1
    assert "3 tokens ('ä', 'é')" in err


def test_json(call: Call, runs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("the cät\n", encoding="utf-8")
    code, out, err = call("text", "eval", runs / "char", other, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    found = json.loads(out)
    counts = {name: found.pop(name) for name in ("tokens", "characters", "bytes", "unknown", "level", "vocabulary")}
    assert counts == {"tokens": 8, "characters": 8, "bytes": 9, "unknown": 1, "level": "char", "vocabulary": 15}
    assert set(found) == {"nats", "perplexity", "bits_per_char", "bits_per_byte"}
    assert found["perplexity"] == pytest.approx(math.exp(found["nats"] / 8))
    assert found["bits_per_char"] == pytest.approx(found["nats"] / math.log(2) / 8)
    assert found["bits_per_byte"] == pytest.approx(found["nats"] / math.log(2) / 9)


def test_lanes(call: Call, runs: Path) -> None:
    one, four = (
        json.loads(call("text", "eval", runs / "char", runs / "text.txt", "--batch-size", lanes, "--json")[1])
        for lanes in (1, 4)
    )
    assert one["tokens"] == four["tokens"]
    assert one["nats"] != four["nats"]
    assert one["nats"] == pytest.approx(four["nats"], rel=0.05)


def test_a_token_file_is_measured_by_its_text_to_validate_on(call: Call, runs: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    (tmp_path / "valid.txt").write_text(split_text((runs / "text.txt").read_text())[1])
    assert call("text", "tokenize", runs / "text.txt", "--out", tokens)[0] == 0
    expected = call("text", "eval", runs / "char", tmp_path / "valid.txt", "--json")
    assert call("text", "eval", runs / "char", tokens, "--json") == expected
    code, _, err = call("text", "eval", runs / "word", tokens)
    assert code == 2
    assert "has another vocabulary than the model, 15 tokens of level char against" in err
    code, _, err = call("text", "score", runs / "char", tokens)
    assert code == 2
    assert "is a token file, which has no text in it: 'recurra text eval' measures it" in err


def test_another_encoding(call: Call, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("the cät sät on thé mat\r\n".encode("cp1252"))
    code, out, _ = call("text", "eval", runs / "char", tmp_path / "latin.txt", "--encoding", "cp1252")
    assert code == 0
    assert "tokens              23 (23 characters, 26 bytes)" in out
    code, _, err = call("text", "eval", runs / "char", tmp_path / "latin.txt")
    assert code == 2
    assert "--encoding cp1252 would read 'the cät" in err
