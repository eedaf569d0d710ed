import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import cells
from recurra.errors import RecurraError
from recurra.model import Part
from tests.runtime.models import language_model, layer, linear, lstm, model, same, stack


@settings(max_examples=25)
@given(data=st.data())
def test_each_sequence_runs_as_if_alone(data):
    """Sequences join, step in any groups, and leave; each has the outputs of a stream of its own."""
    made = model(stack(lstm(3, 5, num_layers=2), layer(cells.gru, 5, 4), linear(4, 2)))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    streams, alone = made.streams(), {}
    for _ in range(data.draw(st.integers(1, 12))):
        action = data.draw(st.sampled_from(["join", "step", "step", "leave"]))
        if action == "join":
            for number in streams.join(data.draw(st.integers(0, 20))).tolist():
                assert number not in alone
                alone[number] = made.stream()
            continue
        ids = data.draw(st.lists(st.sampled_from(sorted(alone)), unique=True)) if alone else []
        if action == "leave":
            streams.leave(ids)
            for number in ids:
                del alone[number]
            continue
        x = random.standard_normal((len(ids), 3)).astype(np.float32)
        output = streams.step(ids, x)
        assert output.shape == (len(ids), 2)
        for number, row, value in zip(ids, x, output, strict=True):
            assert same(alone[number].step(row), value)
    assert len(streams) == len(alone)
    assert sorted(alone) == streams.ids.tolist()
    for number, stream in alone.items():
        assert same(streams.state([number]), stream.state)


def test_tokens_states_and_snapshots():
    made = model(language_model())
    streams = made.streams()
    ids = streams.join(3)
    streams.step(ids, np.array([1, 2, 3]))
    snapshot = streams.snapshot(ids[:2])
    expected = streams.step(ids, np.array([4, 5, 6]))
    other = made.streams()
    new = other.join(5)[3:]
    other.restore(new, snapshot)
    assert same(other.step(new, np.array([4, 5])), expected[:2])
    streams.reset(ids[:1])
    assert same(streams.state(ids[:1]), made.stream().state)
    streams.set_state(ids[1:2], streams.state(ids[2:3]))
    assert same(streams.state(ids[1:2]), streams.state(ids[2:3]))
    with pytest.raises(RecurraError, match="another model or batch"):
        other.restore(new[:1], snapshot)


def test_a_new_sequence_begins_with_zeros():
    made = model(lstm(2, 3))
    streams = made.streams()
    ids = streams.join(2)
    streams.step(ids, np.ones((2, 2), np.float32))
    streams.leave(ids[0])
    [again] = streams.join()
    assert again == ids[0]
    assert same(streams.step([again], np.ones((1, 2), np.float32))[0], made.stream().step(np.ones(2, np.float32)))


@pytest.mark.parametrize(
    ("ids", "x", "message"),
    [
        ([0, 9], np.ones((2, 2)), "no sequence 9"),
        ([0, -1], np.ones((2, 2)), "no sequence -1"),
        ([0, 2**40], np.ones((2, 2)), "no sequence 1099511627776"),
        ([1, 1], np.ones((2, 2)), "sequence 1 is named twice"),
        ([0.5], np.ones((1, 2)), "whole numbers"),
        ([0], np.ones((2, 2)), r"\(1, 2\); got \(2, 2\)"),
        ([0], np.ones((1, 3)), r"\(1, 2\); got \(1, 3\)"),
    ],
)
def test_bad_steps(ids, x, message):
    streams = model(lstm(2, 3)).streams()
    streams.join(3)
    before = streams.state([0, 1, 2])
    with pytest.raises(RecurraError, match=message):
        streams.step(ids, x)
    assert same(streams.state([0, 1, 2]), before)


def test_memory_that_does_not_suffice_changes_nothing(monkeypatch):
    streams = model(lstm(2, 3)).streams()
    ids = streams.join(2)
    zeros = np.zeros

    def limited(shape, *rest):
        if np.prod(shape) > 10**5:
            raise MemoryError
        return zeros(shape, *rest)

    monkeypatch.setattr(np, "zeros", limited)
    with pytest.raises(MemoryError):
        streams.join(10**6)
    monkeypatch.undo()
    assert len(streams) == 2
    more = streams.join(40)
    assert streams.step(np.concatenate([ids, more]), np.ones((42, 2), np.float32)).shape == (42, 3)


def test_bad_joins():
    streams = model(lstm(2, 3)).streams()
    with pytest.raises(RecurraError, match="from 0; got -1"):
        streams.join(-1)
    assert streams.step([], np.ones((0, 2))).shape == (0, 3)
    [number] = streams.join()
    streams.leave(number)
    with pytest.raises(RecurraError, match=f"no sequence {number}"):
        streams.leave(number)
    with pytest.raises(RecurraError, match="bidirectional"):
        model(lstm(2, 3, bidirectional=True)).streams()


def test_a_copy_goes_on_by_itself():
    streams = model(lstm(3, 4)).streams()
    ids = streams.join(2)
    for other in (copy.copy(streams), copy.deepcopy(streams), pickle.loads(pickle.dumps(streams))):
        before = streams.snapshot(ids)
        other.step(ids, np.ones((2, 3)))
        other.leave(ids)
        assert streams.snapshot(ids) == before
        assert len(streams) == 2


def test_a_snapshot_goes_between_a_stream_and_streams():
    made = model(stack(lstm(3, 4, num_layers=2), lstm(4, 5), linear(5, 2)))
    x = np.random.default_rng(0).standard_normal((4, 3, 3)).astype(np.float32)
    stream, streams = made.stream(3), made.streams()
    ids = streams.join(5)[1:4]
    stream.feed(x[:2])
    streams.restore(ids, stream.snapshot())
    assert same(streams.step(ids, x[2]), stream.step(x[2]))
    other = made.stream(3)
    other.restore(streams.snapshot(ids))
    assert same(other.step(x[3]), stream.step(x[3]))


@pytest.mark.parametrize("count", [2**31, 10**14, 2**62, 2**70])
def test_there_is_a_limit(count):
    streams = model(lstm(3, 4)).streams()
    streams.join(1)
    with pytest.raises(RecurraError, match="at most 2147483647 sequences"):
        streams.join(count)
    assert len(streams) == 1


def test_a_model_that_does_nothing_gives_a_copy():
    streams = model(Part("Stack", {}, (("a", Part("Dropout", {"p": 0.5})),))).streams()
    x = np.ones((2, 3), np.float32)
    output = streams.step(streams.join(2), x)
    output[:] = 7
    assert (x == 1).all()
