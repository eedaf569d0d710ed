"""`recurra text score`: a line for each token, whose sum is the figure of eval."""

import json
from pathlib import Path
from typing import Any

import pytest

Call = Any


def rows(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_sum_is_that_of_eval(call: Call, runs: Path, level: str) -> None:
    totals = json.loads(call("text", "eval", runs / level, runs / "text.txt", "--json")[1])
    code, out, err = call("text", "score", runs / level, runs / "text.txt")
    assert (code, err) == (0, "")
    found = rows(out)
    assert [row["position"] for row in found] == list(range(totals["tokens"]))
    assert sum(row["bits"] for row in found) == pytest.approx(totals["bits_per_char"] * totals["characters"], rel=1e-9)
    assert all(2 ** -row["bits"] == pytest.approx(row["probability"], rel=1e-9) for row in found)


def test_tokens_as_they_stand_in_the_text(call: Call, runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.txt"
    file.write_text("the zebra <unk>\n", encoding="utf-8")
    _, out, _ = call("text", "score", runs / "word", file)
    assert [row["token"] for row in rows(out)] == ["the", "zebra", "<unk>", "<eos>"]
    assert [row["is_unknown"] for row in rows(out)] == [False, True, False, False]
    _, out, _ = call("text", "score", runs / "char", file)
    assert "".join(row["token"] for row in rows(out)) == "the zebra <unk>\n"


def test_a_file(call: Call, runs: Path, tmp_path: Path) -> None:
    target = tmp_path / "scores.jsonl"
    command = ("text", "score", runs / "char", runs / "text.txt")
    plain = call(*command)[1]
    totals = call("text", "eval", runs / "char", runs / "text.txt", "--json")[1]
    code, out, err = call(*command, "--out", target, "--json")
    assert (code, out, err) == (0, totals, "")
    assert target.read_text() == plain
    assert call(*command, "--out", target)[1] == call("text", "eval", runs / "char", runs / "text.txt")[1]
    # One object without --out: the figures, and the rows among them.
    whole = json.loads(call(*command, "--json")[1])
    assert whole.pop("scores") == rows(plain)
    assert whole == json.loads(totals)
