"""`recurra look`: a page and a summary of a run or a file, and one line for what it cannot use."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TEXT
from tests.cli.refusals import everything, refused
from tests.tasks.series.tables import csv_of, one_series

Call = Any


def test_a_text_run(call: Call, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call("look", runs / "char", "--text", TEXT[:300])
    assert (code, err) == (0, "")
    for words in (
        "best unit",
        "position",
        "by chance",
        "units dead",
        "the gradient is above 1 %",
        "The page: look.html",
    ):
        assert words in out
    page = (tmp_path / "look.html").read_text()
    assert "Units by what they follow" in page
    assert len(page) < 300_000


def test_files_options_and_json(call: Call, runs: Path, tmp_path: Path) -> None:
    assert call("export", runs / "word", "--out", tmp_path / "model.safetensors")[0] == 0
    (tmp_path / "text").write_text(TEXT)
    options = ("--layer", 0, "--unit", 3, "--gates", "f,c", "--property", "letter", "--html", tmp_path / "page.html")
    code, out, err = call("look", tmp_path / "model.safetensors", "--text-file", tmp_path / "text", *options, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["kind"] == "text"
    assert list(found["units"]) == ["letter"]
    assert found["html"] == str(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "c[3], layer 0" in page
    assert "f (gate" in page
    assert "i (gate" not in page


def test_a_series_run_and_its_file(call: Call, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(csv_of(one_series()))
    train = ("--minutes", "0.002", "--horizon", "6", "--members", "1")
    assert call("series", "train", tmp_path / "sales.csv", "--out", tmp_path / "run", *train)[0] == 0
    code, out, err = call("look", tmp_path / "run", "--html", tmp_path / "page.html")
    assert code == 0
    assert "season 12" in out
    assert err.startswith("recurra: note: the series is read in ")
    assert call("export", tmp_path / "run", "--out", tmp_path / "model")[0] == 0
    with_table = ("--series", tmp_path / "sales.csv", "--html", tmp_path / "page.html")
    assert call("look", tmp_path / "model", *with_table)[0] == 0
    before = everything(tmp_path)
    refused(call("look", tmp_path / "model"), "name one, recurra look")
    refused(call("look", tmp_path / "run", "--text", "a"), "not of 'text'")
    refused(call("look", tmp_path / "model", *with_table, "--id", "x"), "the table has one series, which has no name")
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "there is no such model"),
        (["missing", "--text", "the"], "there is no such run folder"),
        (["char"], "say what"),
        (["char", "--text", ""], "the text is empty"),
        (["char", "--text", "the Xylophone"], "does not know: 'X'"),
        (["char", "--text", "the", "--text-file", "text.txt"], "--text and --text-file do not go together"),
        (["char", "--text-file", "none.txt"], "no such file"),
        (["char", "--text", "the", "--layer", "7"], "--layer must be from 0 to 0; got 7"),
        (["char", "--text", "the", "--unit", "99"], "--unit must be from 0 to 11 in layer 0; got 99"),
        (["char", "--text", "the", "--unit", "-1"], "--unit must be from 0"),
        (["char", "--text", "the", "--gates", "q"], "layer 0 has no 'q'"),
        (["char", "--text", "the", "--gates", ","], "--gates must name variables"),
        (["char", "--text", "the", "--property", "season"], "--property must be one of"),
        (["char", "--text", "the", "--id", "a"], "--id is for --series"),
        (["char", "--text", "the", "--html", "none/page.html"], "cannot be written"),
        (["char", "--series", "text.txt"], "not of 'series'"),
        (["text.txt", "--text", "the"], "not a run folder, and no exported file either"),
        (["text.txt"], "text.txt"),
        ([], "Missing argument"),
    ],
)
def test_what_is_refused(
    call: Call, runs: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(runs)
    before = everything(runs)
    refused(call("look", *arguments), message)
    assert everything(runs) == before
