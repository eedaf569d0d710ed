"""The demo from beginning to end, with some seconds of training instead of forty-five."""

from dataclasses import replace
from typing import Any

import pytest

from recurra.cli import demo as command
from recurra.tasks.text import demo

Call = Any


def test_demo(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(demo.SETTINGS, training=replace(demo.SETTINGS.training, minutes=4 / 60, evaluate_every=3))
    for module in (demo, command):
        monkeypatch.setattr(module, "SETTINGS", short)
    monkeypatch.setattr(demo, "ROUNDS", 5)
    code, out, err = call("demo")
    assert (code, err) == (0, "")
    losses = [float(line.split("valid")[1].split()[0]) for line in out.splitlines() if line.startswith("step")]
    assert losses[-1] < losses[0]
    for part in (
        "\ndef ",
        "weight_hh",
        "(32, 32, 160)",
        "torch.nn\n",
        "1 thread ",
        "times as long as torch.nn",
        "s in all",
    ):
        assert part in out


def test_each_at_its_best(capsys: pytest.CaptureFixture[str]) -> None:
    command._print_races({1: demo.Race(20.0, 10.0, 25, 1e-6), 2: demo.Race(30.0, 5.0, 9, 2e-6)})
    out = capsys.readouterr().out
    assert "1 thread         20.00     10.00\n2 threads        30.00      5.00\n" in out
    assert "4.00 times as long" in out
    assert "2e-06" in out
    assert "\n9 alternating rounds" in out
