"""The demo from beginning to end, with a second of training instead of forty-five."""

from dataclasses import replace
from typing import Any

import pytest

from recurra.cli import demo as command
from recurra.tasks import demo

Call = Any


def test_demo(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(demo.SETTINGS, training=replace(demo.SETTINGS.training, minutes=1 / 60, evaluate_every=5))
    for module in (demo, command):
        monkeypatch.setattr(module, "SETTINGS", short)
    monkeypatch.setattr(demo, "ROUNDS", 5)
    with demo.threads(2):
        code, out, err = call("demo")
    assert (code, err) == (0, "")
    losses = [float(line.split("loss ")[1].split()[0]) for line in out.splitlines() if line.startswith("step")]
    assert losses[-1] < losses[0]
    for part in (
        "\ndef ",
        "weight_hh",
        "(32, 32, 160)",
        "torch.nn\n",
        "1 thread ",
        "2 threads ",
        "times as long as torch.nn",
        "s in all",
    ):
        assert part in out
