"""The demo from beginning to end, with some seconds of training instead of half a minute."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recurra.cli import demo as command
from recurra.look import timing
from recurra.tasks.demo import layers
from recurra.tasks.text import demo
from tests.cli.refusals import refused

Call = Any


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    short = replace(demo.SETTINGS, training=replace(demo.SETTINGS.training, minutes=4 / 60, evaluate_every=3))
    for module in (demo, command):
        monkeypatch.setattr(module, "SETTINGS", short)
    monkeypatch.setattr(command, "FORECAST_SECONDS", 0.5)
    monkeypatch.setattr(timing, "ROUNDS", 5)
    monkeypatch.setattr(layers, "HIDDEN", 16)
    monkeypatch.chdir(tmp_path)


def test_demo(call: Call, tmp_path: Path) -> None:
    code, out, err = call("demo")
    assert (code, err) == (0, "")
    losses = [float(line.split("valid")[1].split()[0]) for line in out.splitlines() if "bits/char" in line]
    assert losses[-1] < losses[0]
    for part in (
        "\ndef ",
        "weight_hh",
        "(32, 32, 160)",
        "80 % interval",
        "1960-12",
        "best naive forecast",
        "def coupled_lstm(",
        "the same outputs and gradients",
        "recurra, 1 thread",
        "\nown cell ",
        "\nGRU",
        "\npacked LSTM",
        "\nlanguage model",
        "s in all",
    ):
        assert part in out
    assert out.splitlines()[-1].endswith("recurra-demo.html")
    html = (tmp_path / "recurra-demo.html").read_text()
    assert "weight_hh" in html
    assert "coupled_lstm" in html


def test_a_file_of_the_user_stays(call: Call, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("mine")
    refused(call("demo", "--html", "page.html"), "page.html exists already, and is no page of a demo")
    assert (tmp_path / "page.html").read_text() == "mine"
