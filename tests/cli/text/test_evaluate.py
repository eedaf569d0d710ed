"""`recurra text eval`: its lines, its JSON, and unknown tokens."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

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
