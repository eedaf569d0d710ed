"""`recurra series demo`: it leaves tables, a run, a forecast and its picture, and says what to do next."""

import sys
from pathlib import Path
from typing import Any

import pytest

from recurra.tasks.series.settings import SeriesSettings

Call = Any


def test_the_demo(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["recurra.cli.series.demo"]
    monkeypatch.setattr(module, "SeriesSettings", lambda horizon, seed: SeriesSettings(horizon, seed=seed, steps=2))
    code, out, err = call("series", "demo", "--out", tmp_path / "airline")
    assert (code, err) == (0, "")
    assert "MASE" in out
    assert "The model never saw these months." in out
    assert {path.name for path in (tmp_path / "airline").iterdir()} == {"passengers.csv", "history.csv", "run"}
    assert {path.name for path in (tmp_path / "airline" / "run").iterdir()} >= {"forecast.csv", "forecast.html"}
    hint = next(line for line in out.splitlines() if "What comes after 1960" in line)
    command = hint.partition("recurra ")[2].replace("after.html", str(tmp_path / "after.html")).split()
    assert call(*command)[0] == 0
    assert "1962" in (tmp_path / "after.html").read_text()
    code, out, err = call("series", "demo", "--out", tmp_path / "airline")
    assert (code, out) == (2, "")
    assert "exists already" in err
