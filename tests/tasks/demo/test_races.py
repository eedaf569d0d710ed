"""A race compares like with like, takes turns, and times nothing if results differ."""

import pytest
import torch

from recurra.errors import RunError
from recurra.look import timing
from recurra.tasks.demo.races import Contender, raced


def contender(number, calls, name):
    return Contender(lambda: [torch.tensor([number, 1.0])], lambda: calls.append(name))


def test_turns(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 6)
    calls = []
    found = raced("adding", contender(2.0, calls, "ours"), contender(2.0, calls, "theirs"))
    assert calls == ["ours", "theirs", "theirs", "ours"] * 3
    assert (found.name, found.rounds, found.difference) == ("adding", 6, 0.0)
    assert min(found.ours, found.theirs) > 0


def test_different_numbers():
    calls = []
    with pytest.raises(RunError, match=r"adding: recurra and torch differ by 2\.5e-01"):
        raced("adding", contender(1.5, calls, "ours"), contender(2.0, calls, "theirs"))
    assert calls == []


def test_medians_leave_out_the_first_rounds(monkeypatch):
    times = iter([99.0, 99.0, 99.0, 99.0, 1.0, 5.0, 6.0, 2.0, 3.0, 7.0])
    monkeypatch.setattr(timing, "milliseconds", lambda step: next(times))
    monkeypatch.setattr(timing, "ROUNDS", 5)
    found = raced("adding", contender(1.0, [], ""), contender(1.0, [], ""))
    assert (found.ours, found.theirs) == (2.0, 6.0)
