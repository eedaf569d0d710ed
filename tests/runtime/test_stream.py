import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from recurra import cells
from recurra.errors import RecurraError
from tests.random_cells import random_cell
from tests.runtime.models import cell_part, language_model, layer, linear, lstm, model, same, stack


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 12), max_size=4),
    batch=st.integers(1, 5),
    hidden=st.integers(1, 40),
    batch_first=st.booleans(),
    name=st.sampled_from(sorted(cells.all())),
)
def test_chunks_of_any_size_give_the_whole_sequence(cuts, batch, hidden, batch_first, name):
    made = model(stack(layer(cells.all()[name], hidden, hidden, batch_first=batch_first), linear(hidden, 3)))
    x = numbers(12, batch, hidden)
    given_ = x.swapaxes(0, 1) if batch_first else x
    whole, last = made(given_)
    stream = made.stream(batch)
    pieces = np.split(given_, sorted(cuts), 1 if batch_first else 0)
    output = np.concatenate([stream.feed(piece) for piece in pieces], 1 if batch_first else 0)
    assert same(np.ascontiguousarray(output), np.ascontiguousarray(whole))
    assert same(stream.state, last)
    stream.reset()
    steps = np.stack([stream.step(x_t) for x_t in x])
    assert same(steps, np.ascontiguousarray(whole.swapaxes(0, 1) if batch_first else whole))
    assert same(stream.state, last)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_generated_cells_step_as_they_run(seed):
    made = model(layer(random_cell(seed), 5, 6))
    x = numbers(7, 2, 5)
    whole, last = made(x)
    stream = made.stream(2)
    steps = np.stack([stream.step(x_t) for x_t in x])
    assert np.array_equal(steps, whole, equal_nan=True)
    for a, b in zip(made.nest.flatten(stream.state), made.nest.flatten(last), strict=True):
        assert np.array_equal(a, b, equal_nan=True)


def test_tokens():
    made = model(language_model())
    ids = np.random.default_rng(0).integers(0, 11, 9)
    whole, _ = made(ids)
    for kind in (int, np.int64, np.int32, lambda i: np.array(i), lambda i: np.array([i]), lambda i: [int(i)]):
        stream = made.stream()
        steps = [np.asarray(stream.step(kind(i))).reshape(-1) for i in ids]
        assert same(np.stack(steps), whole)
    pair = made.stream(2)
    assert pair.step(np.array([1, 2])).shape == (2, 11)
    for bad in (11, -1, 2**70):
        with pytest.raises((IndexError, OverflowError)):
            made.stream().step(bad)
    with pytest.raises(ValueError, match="int64 or int32"):
        made.stream().step(np.array([1.0]))


def test_masks_are_their_means():
    @recurra.cell
    def noisy(x, h, *, W, U):
        keep = recurra.bernoulli(0.25)
        new = recurra.tanh(recurra.dropout(x, 0.5, per="sequence") @ W + h @ U)
        return keep * h + (1 - keep) * new

    made = model(layer(noisy, 4, 6))
    x = numbers(5, 2, 4)
    whole, _ = made(x)
    stream = made.stream(2)
    assert same(np.stack([stream.step(x_t) for x_t in x]), whole)
    with recurra.engine("reference"):
        np.testing.assert_allclose(made(x)[0], whole, atol=1e-6)


def test_every_engine_steps():
    made = model(stack(lstm(4, 6, num_layers=2), linear(6, 3)))
    x = numbers(6, 2, 4)
    whole, _ = made(x)
    with recurra.engine("reference"):
        stream = made.stream(2)
        steps = np.stack([stream.step(x_t) for x_t in x])
        snapshot = stream.snapshot()
        stream.reset([1])
        assert not stream.state[0][:, 1].any()
        assert stream.state[0][:, 0].any()
    np.testing.assert_allclose(steps, whole, atol=1e-6)
    other = made.stream(2)
    other.restore(snapshot)
    np.testing.assert_allclose(other.state[0], made(x)[1][0], atol=1e-6)


def test_state_can_be_taken_and_given():
    made = model(stack(lstm(4, 6, num_layers=2), layer(cells.gru, 6, 5)))
    x = numbers(8, 3, 4)
    stream = made.stream(3)
    stream.feed(x[:5])
    state = stream.state
    rest = stream.feed(x[5:])
    stream.state = state
    assert same(stream.feed(x[5:]), rest)
    output, last = made(x[5:], state)
    assert same(output, rest)
    assert same(stream.state, last)
    stream.state = None
    assert same(stream.state, made.stream(3).state)
    with pytest.raises(RecurraError, match="batch=3"):
        stream.state = ((np.zeros((2, 1, 6)), None), None)
    kept = stream.state
    kept[0][0][:] = 7
    assert not same(stream.state, kept)


def test_rows_are_reset_alone():
    made = model(lstm(4, 6))
    x = numbers(4, 3, 4)
    stream = made.stream(3)
    stream.feed(x)
    stream.reset([0, 2])
    output = stream.step(x[0])
    fresh = made.stream(3).step(x[0])
    assert same(output[0], fresh[0])
    assert same(output[2], fresh[2])
    assert not same(output[1], fresh[1])
    stream.reset(1)
    assert same(stream.step(x[0])[1], fresh[1])
    for bad in (3, -1):
        with pytest.raises(RecurraError, match="sequences 0 … 2"):
            stream.reset(bad)


def test_snapshots():
    made = model(language_model())
    stream = made.stream(2)
    stream.feed(np.ones((3, 2), int))
    snapshot = stream.snapshot()
    expected = stream.step(np.array([4, 5]))
    other = made.stream(2)
    other.restore(snapshot)
    assert same(other.step(np.array([4, 5])), expected)
    kept = other.state
    for bad, message in (
        (b"", "no snapshot"),
        (snapshot[:-1], "checksum"),
        (snapshot[:40], "checksum"),
        (snapshot[:50] + bytes([snapshot[50] ^ 1]) + snapshot[51:], "checksum"),
        (made.stream(3).snapshot(), "another model or batch"),
        (model(lstm(4, 6)).stream(2).snapshot(), "another model or batch"),
        ("text", "a snapshot is bytes, not str"),
    ):
        with pytest.raises(RecurraError, match=message):
            other.restore(bad)
        assert same(other.state, kept)


def test_cells_and_what_feeds_forward_step_too():
    cell = model(cell_part(cells.lstm, 4, 6))
    x = numbers(3, 2, 4)
    stream = cell.stream(2)
    output, state = cell(x[0])
    assert same(stream.step(x[0]), output)
    assert same(stream.step(x[1]), cell(x[1], state)[0])
    plain = model(linear(4, 2)).stream(2)
    assert same(plain.step(x[0]), model(linear(4, 2))(x)[0][0])
    assert plain.state == ()


def test_steps_take_any_layout():
    made = model(lstm(4, 6))
    x = numbers(4, 1, 4)
    expected = made.stream(1).step(x[0])
    wide = np.zeros((1, 8), np.float32)
    wide[:, ::2] = x[0]
    for other in (x[0].astype(np.float64), wide[:, ::2], x[0].tolist(), np.asfortranarray(x[0])):
        assert same(made.stream().step(other), expected)
    assert same(made.stream().step(x[0, 0]), expected[0])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(3), r"\(batch=1, input_size=4\) or \(4,\); got \(3,\)"),
        (np.ones((2, 4)), r"got \(2, 4\)"),
        (np.ones((1, 1, 4)), r"got \(1, 1, 4\)"),
        (np.float32(1), "got"),
        (np.array(["a"] * 4), "must be numbers"),
    ],
)
def test_bad_steps(x, message):
    with pytest.raises(ValueError, match=message):
        model(lstm(4, 6)).stream().step(x)


def test_what_cannot_be_stepped():
    with pytest.raises(RecurraError, match="bidirectional"):
        model(lstm(4, 6, bidirectional=True)).stream()
    for batch in (0, -1, 1.5, True):
        with pytest.raises(RecurraError, match="positive whole number"):
            model(lstm(4, 6)).stream(batch)
    with pytest.raises(RecurraError, match="batch=1 sequences; got 2"):
        model(lstm(4, 6)).stream().feed(np.ones((3, 2, 4)))


def test_steps_leave_no_memory_behind():
    stream = model(stack(lstm(8, 16), linear(16, 4))).stream()
    x = numbers(8)
    for _ in range(20_000):
        stream.step(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(200_000):
        stream.step(x)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1024  # KiB


def test_a_stream_outlives_its_model():
    stream = model(language_model()).stream()
    assert stream.step(3).shape == (11,)
    assert [stream.step(i).shape for i in range(5)] == [(11,)] * 5
