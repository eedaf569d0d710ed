"""Lanes are contiguous, windows follow one another, and two windows with a carried state equal one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.text.batching import PADDING, Lanes, lanes_that_fit
from recurra.tasks.text.language_model import TokenModel, nats
from recurra.tasks.text.settings import ModelSettings


def test_by_hand() -> None:
    lanes = Lanes(np.arange(1, 12), 2, start=99)
    assert lanes.inputs.t().tolist() == [[99, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert lanes.targets.t().tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert [len(inputs) for inputs, _ in lanes.windows(2)] == [2, 2, 1]


@given(st.integers(1, 60), st.integers(1, 8), st.integers(1, 9), st.booleans())
def test_lanes_are_the_text(size: int, batch: int, steps: int, complete: bool) -> None:
    if not complete:
        size += batch
    ids = np.arange(1000, 1000 + size)
    lanes = Lanes(ids, batch, start=7, complete=complete)
    windows = list(lanes.windows(steps))
    assert len(windows) == lanes.count(steps)
    inputs = torch.cat([window for window, _ in windows]).t().flatten()
    targets = torch.cat([window for _, window in windows]).t().flatten()
    real = targets != PADDING
    assert inputs[real].tolist() == [7, *range(1000, 1000 + int(real.sum()) - 1)]
    assert targets[real].tolist() == list(range(1000, 1000 + int(real.sum())))
    dropped = size - int(real.sum())
    assert dropped == 0 if complete else dropped < batch
    assert complete or real.all()


def test_batches_shrink_to_a_small_text() -> None:
    assert lanes_that_fit(100, 32, 16) == 6
    assert lanes_that_fit(10_000, 32, 16) == 32
    assert lanes_that_fit(3, 32, 16) == 1


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "peephole_lstm"])
@torch.no_grad()
def test_two_windows_with_the_state_carried_are_one_long_window(cell: str) -> None:
    torch.manual_seed(0)
    model = TokenModel(11, ModelSettings(cell, hidden=7, layers=2, dropout=0.0)).double()
    lanes = Lanes(np.random.default_rng(0).integers(0, 11, 60), 3, start=1)
    whole = float(nats(model(lanes.inputs)[0], lanes.targets, "sum"))
    state, total, without = None, 0.0, 0.0
    for inputs, targets in lanes.windows(10):
        logits, state = model(inputs, state)
        total += float(nats(logits, targets, "sum"))
        without += float(nats(model(inputs)[0], targets, "sum"))
    assert total == pytest.approx(whole, rel=1e-12)
    assert abs(without - whole) > 1e-4
