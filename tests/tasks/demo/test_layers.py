"""The demo's races of layers: recurra gives torch's numbers, and they are of what their names say."""

import pytest
import torch

from recurra.errors import RunError
from recurra.look import timing
from recurra.tasks.demo import layers
from recurra.tasks.demo.own_cell import cell_source, coupled_lstm, loop


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in (("STEPS", 5), ("BATCH", 3), ("INPUT", 4), ("HIDDEN", 6)):
        monkeypatch.setattr(layers, name, value)
    monkeypatch.setattr(timing, "ROUNDS", 5)


@pytest.mark.parametrize(
    "race",
    [layers.own_cell_race, layers.gru_race, lambda: layers.packed_race([3, 1, 5])],
    ids=["own", "gru", "packed"],
)
def test_the_same_numbers(race):
    found = race()
    assert found.difference < 1e-5
    assert min(found.ours, found.theirs) > 0


def test_another_loop_is_found_out(monkeypatch):
    monkeypatch.setattr(layers, "loop", lambda *arguments: loop(*arguments) * 1.01)
    with pytest.raises(RunError, match="own cell: recurra and torch differ"):
        layers.own_cell_race()


def test_the_source_that_is_shown_is_the_cell():
    names = {}
    exec("from recurra import cell, sigmoid, split, tanh\n" + cell_source(), names)
    assert names["coupled_lstm"].states == coupled_lstm.states == ("h", "c")
    assert "loop" not in cell_source()


def test_lengths_of_lines():
    text = "ab\n\n" + "x" * 81 + "\nabc\n" + "y\n" * 40
    assert layers.line_lengths(text, 4) == [2, 3, 1, 1]
    assert torch.tensor(layers.line_lengths(text)).min() >= 1
