"""Streams of graphs: the same bits as the whole, states by names and shapes, resets and snapshots."""

import copy
import pickle

import numpy as np
import pytest

from recurra.errors import RecurraError
from recurra.graph.stream import paired_states
from tests.graph.graphs import F, recurrent_model

X = np.random.default_rng(1).normal(size=(9, 2, 3)).astype(F)
ZERO = np.zeros((2, 4), F)


@pytest.mark.parametrize("chunks", [[9], [1] * 9, [2, 3, 1, 3]])
def test_chunks_give_the_bits_of_the_whole(chunks):
    model = recurrent_model()
    whole, last = model(X, ZERO)
    stream = model.stream({"h_in": "h_out"}, batch=2)
    parts = [stream.step(part) for part in np.split(X, np.cumsum(chunks)[:-1])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(stream.state["h_in"], last)


@pytest.mark.parametrize(
    "names",
    [("h_in", "h_out"), ("h0", "hn"), ("h_0", "h_n"), ("state", "new_state"), ("hidden_in", "h1"), ("a1", "b7")],
)
def test_states_are_found(names):
    assert paired_states(recurrent_model(names)) == {names[0]: names[1]}


def test_a_sequence_of_length_0_keeps_its_state():
    model = recurrent_model()
    stream = model.stream(batch=2)
    stream.step(X[:3])
    before = stream.state["h_in"]
    stream.step(X[3:4], lengths=[1, 0])
    np.testing.assert_array_equal(stream.state["h_in"][1], before[1])
    assert (stream.state["h_in"][0] != before[0]).any()
    with pytest.raises(RecurraError, match="cut the chunk"):
        stream.step(X[:3], lengths=[2, 3])
    with pytest.raises(RecurraError, match=r"\(batch=2,\)"):
        stream.step(X[:3], lengths=[2])


def test_resets_and_snapshots():
    stream = recurrent_model().stream(batch=2)
    stream.step(X)
    saved = stream.snapshot()
    after = stream.step(X[:1])
    stream.reset([1])
    assert not stream.state["h_in"][1].any()
    assert stream.state["h_in"][0].any()
    stream.restore(saved)
    np.testing.assert_array_equal(stream.step(X[:1]), after)
    stream.reset()
    assert not stream.state["h_in"].any()
    stream.state = {"h_in": ZERO + 1}
    np.testing.assert_array_equal(stream.state["h_in"], ZERO + 1)


def test_models_and_streams_are_copied():
    model = recurrent_model()
    stream = model.stream(batch=2)
    stream.step(X)
    for copied in (copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        np.testing.assert_array_equal(copied.step(X[:1]), copy.copy(stream).step(X[:1]))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(X, ZERO)[0], model(X, ZERO)[0])


def test_mistakes_are_named():
    model = recurrent_model()
    with pytest.raises(RecurraError, match="has no input 'q'; it has x, h_in"):
        model.stream({"q": "h_out"})
    with pytest.raises(RecurraError, match="has no output 'q'; it has y, h_out"):
        model.stream({"h_in": "q"})
    with pytest.raises(RecurraError, match="does not fit input h_in"):
        model.stream({"h_in": "y"})
    with pytest.raises(RecurraError, match="positive whole number"):
        model.stream(batch=0)
    stream = model.stream()
    with pytest.raises(RecurraError, match="h_in is a state, which the stream holds"):
        stream.step(X[:, :1], h_in=ZERO)
    with pytest.raises(RecurraError, match="takes 1 inputs, x; not 2"):
        stream.step(X, X)
    with pytest.raises(RecurraError, match="rows must be numbers below 1"):
        stream.reset([1])
    with pytest.raises(RecurraError, match="h_in must be"):
        stream.state = {"h_in": np.zeros(3)}
