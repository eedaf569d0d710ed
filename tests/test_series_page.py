"""The tutorial docs/series.md works as it is written, block by block; only the trainings are shorter."""

import importlib
import re
import shlex
from dataclasses import dataclass

import pytest

from recurra.cli import main
from recurra.tasks.series import models
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.settings import SeriesSettings
from tests.pages import ROOT

PAGE = ROOT / "docs" / "series.md"


@dataclass(frozen=True)
class ShortDirect(SeriesSettings):
    """Settings of a short training, by default."""

    members: int = 2
    hidden: int = 8
    steps: int | None = 3


@dataclass(frozen=True)
class ShortAutoregressive(AutoregressiveSettings):
    """Settings of a short training, by default."""

    hidden: int = 8
    updates: int = 1


@pytest.fixture
def short_trainings(monkeypatch):
    """Make trainings short: the settings that nobody names have other defaults."""
    for kind in (ShortDirect, ShortAutoregressive):
        monkeypatch.setitem(models.MODELS, kind.model, kind)
    monkeypatch.setattr(importlib.import_module("recurra.cli.series.demo"), "SeriesSettings", ShortDirect)


def test_the_tutorial(tmp_path, monkeypatch, capsys, short_trainings):
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert [kind for kind, _ in found].count("python") == 5
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
