"""Lanes are contiguous, windows follow one another, and two windows with a carried state equal one."""

from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.text.batching import PADDING, Lanes, lanes_that_fit
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import TokenModel, nats


def test_by_hand() -> None:
    lanes = Lanes(np.arange(1, 12), 2, start=99)
    inputs, targets = lanes.window(0, 5)
    assert inputs.t().tolist() == [[99, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert targets.t().tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert lanes.window(1, 3)[0].t().tolist() == [[3, 4], [8, 9]]
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


@given(st.data(), st.integers(1, 80), st.integers(1, 8), st.integers(1, 9), st.booleans())
def test_any_window_of_any_lanes(data: st.DataObject, size: int, batch: int, steps: int, complete: bool) -> None:
    """Windows in any order, and of some lanes, are those that a pass over all lanes gives."""
    lanes = Lanes(np.arange(1000, 1000 + size + batch), batch, start=7, complete=complete)
    windows = list(lanes.windows(steps))
    number = data.draw(st.integers(0, len(windows) - 1))
    chosen = data.draw(st.lists(st.integers(0, batch - 1), min_size=1))
    for found, whole in zip(lanes.choose(chosen).window(number, steps), windows[number], strict=True):
        assert found.dtype == torch.int64
        assert torch.equal(found, whole[:, chosen])


def test_a_window_that_is_not_there() -> None:
    lanes = Lanes(np.arange(12), 2, start=0)
    for number in (-1, 3):
        with pytest.raises(IndexError, match=f"windows are 0 … 2; got {number}"):
            lanes.window(number, 2)


@given(st.integers(1, 60), st.integers(1, 9), st.randoms(use_true_random=False))
def test_independent_windows_in_any_order(size: int, steps: int, random: Random) -> None:
    size += steps
    lanes = Lanes.of_windows(np.arange(1000, 1000 + size), steps, start=7)
    order = random.sample(range(lanes.batch), lanes.batch)
    inputs, targets = lanes.choose(order).window(0, steps)
    assert inputs.shape == targets.shape == (steps, size // steps)
    for column, number in enumerate(order):
        expected = range(1000 + number * steps, 1000 + (number + 1) * steps)
        assert targets[:, column].tolist() == list(expected)
        assert inputs[:, column].tolist() == [expected[0] - 1 if number else 7, *expected[:-1]]


def test_only_the_window_is_read() -> None:
    """What a window reads of its source does not grow with the source."""

    class Watched:
        read = 0

        def __len__(self) -> int:
            return 10**15

        def __getitem__(self, part: slice) -> Any:
            self.read += part.stop - part.start
            return np.arange(part.start, part.stop) % 50

    source = Watched()
    lanes = Lanes(source, 8, start=0)
    inputs, targets = lanes.window(10**12, 16)
    assert source.read == 8 * 17
    assert targets[:, 3].tolist() == [(3 * (10**15 // 8) + 16 * 10**12 + step) % 50 for step in range(16)]
    assert torch.equal(inputs[1:], targets[:-1])


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
    inputs, targets = lanes.window(0, lanes.length)
    whole = float(nats(model(inputs)[0], targets, "sum"))
    state, total, without = None, 0.0, 0.0
    for inputs, targets in lanes.windows(10):
        logits, state = model(inputs, state)
        total += float(nats(logits, targets, "sum"))
        without += float(nats(model(inputs)[0], targets, "sum"))
    assert total == pytest.approx(whole, rel=1e-12)
    assert abs(without - whole) > 1e-4
