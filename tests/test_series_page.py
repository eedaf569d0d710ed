"""The tutorial docs/series.md works as it is written, block by block; only the trainings are shorter."""

import re
import shlex
import sys

import pytest

from recurra.cli import main
from recurra.tasks.series.settings import SeriesSettings
from tests.pages import ROOT

PAGE = ROOT / "docs" / "series.md"
SHORT = {"members": 2, "hidden": 8, "steps": 3}


@pytest.fixture
def short_trainings(monkeypatch):
    """Make trainings short: the settings that nobody names have other defaults."""

    def settings(horizon, **options):
        return SeriesSettings(horizon, **{**SHORT, **options})

    for name in ("recurra.cli.series.options", "recurra.cli.series.demo", "recurra.tasks.series.forecaster"):
        __import__(name)
        module = sys.modules[name]
        made = type("Settings", (), {"__new__": lambda cls, horizon, **options: settings(horizon, **options)})
        made.cell, made.seed = SeriesSettings.cell, SeriesSettings.seed
        monkeypatch.setattr(module, "SeriesSettings", made)


def test_the_tutorial(tmp_path, monkeypatch, capsys, short_trainings):
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert [kind for kind, _ in found].count("python") == 4
    for kind, source in found:
        if kind == "python":
            exec(compile(source, PAGE.name, "exec"), {})
            continue
        for line in source.splitlines():
            program, *words = shlex.split(line, comments=True)
            assert program == "recurra"
            assert main(words) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "['shop', 'date', 'forecast', 'q10', 'q50', 'q90']" in out
    assert {path.name for path in tmp_path.iterdir()} >= {"airline", "forecast.html", "tested.csv", "model.safetensors"}
