"""`recurra compare`: a table in the terminal, a page, and JSON."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.cli.refusals import refused

Call = Any


def test_a_table(call: Call, runs: Path) -> None:
    code, out, err = call("compare", runs / "char", runs / "word")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["char", "word"]
    assert lines[1].startswith("perplexity")
    assert any(line.split() == ["level", "char", "word"] for line in lines)
    assert "different tokens: compare bits per character" in err


def test_objects_and_a_page(call: Call, runs: Path, tmp_path: Path) -> None:
    code, out, err = call("compare", runs / "char", runs / "word", "--json", "--html", tmp_path / "both.html")
    assert (code, err) == (0, "")
    content = json.loads(out)
    assert (content["task"], content["html"]) == ("text", str(tmp_path / "both.html"))
    assert [run["name"] for run in content["runs"]] == ["char", "word"]
    rows = [json.loads(line) for line in (runs / "char" / "metrics.jsonl").read_text().splitlines()]
    assert content["runs"][0]["figures"]["perplexity"] == min(row["perplexity"] for row in rows)
    assert "2 language models compared" in (tmp_path / "both.html").read_text()


def test_refusals(call: Call, runs: Path, tmp_path: Path) -> None:
    refused(call("compare", runs / "char"), "two runs or more")
    refused(call("compare", runs / "char", tmp_path / "none"), "there is no such run folder")
    refused(call("compare", runs / "char", runs / "word", "--html", tmp_path / "no" / "page.html"), "cannot be written")
    other = Path(shutil.copytree(runs / "char", tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "task": "series"}))
    refused(call("compare", runs / "char", other), "different tasks")
