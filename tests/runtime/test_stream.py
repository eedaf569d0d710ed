import copy
import os
import pickle
import resource
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from recurra import cells
from recurra.errors import RecurraError
from tests.cells.representatives import ZOO
from tests.random_cells import random_cell
from tests.runtime.models import cell_part, embedding, language_model, layer, linear, lstm, model, same, stack


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(0, 12), max_size=4),
    batch=st.integers(1, 5),
    hidden=st.integers(1, 40),
    batch_first=st.booleans(),
    name=st.sampled_from(sorted(ZOO)),
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


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_generated_cells_step_as_they_run(seed):
    made = model(layer(random_cell(seed), 5, 6))
    x = numbers(7, 2, 5)
    whole, last = made(x)
    stream = made.stream(2)
    steps = np.stack([stream.step(x_t) for x_t in x])
    assert np.array_equal(steps, whole, equal_nan=True)
    for a, b in zip(made.layout.nest.flatten(stream.state), made.layout.nest.flatten(last), strict=True):
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
    for kind in (np.uint8, np.int16, np.uint64, ">i8"):
        assert same(made.stream().step(ids[:1].astype(kind))[0], whole[0])
    for bad in (11, -1, 2**62, 2**70, np.uint64(2**64 - 1)):
        with pytest.raises(IndexError):
            made.stream().step(bad)
    for bad in (np.array([1.0]), True, 3.0, "3", None):
        with pytest.raises(TypeError, match="whole numbers"):
            made.stream().step(bad)
        with pytest.raises(TypeError, match="whole numbers"):
            made([[bad]])


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
    for bad in ([1.7], "0", [True, False], [[0]]):
        with pytest.raises(RecurraError, match="rows must be whole numbers, or a mask of bools"):
            stream.reset(bad)
    stream.feed(x)
    stream.reset(np.array([False, True, False]))
    output = stream.step(x[0])
    assert same(output[1], fresh[1])
    assert not same(output[0], fresh[0])


def test_copies_go_on_by_themselves():
    made = model(language_model())
    made([[1]])
    stream = made.stream(2)
    stream.feed(np.ones((3, 2), int))
    for other in (copy.copy(stream), copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        assert same(other.state, stream.state)
        before = stream.state
        other.step(np.array([1, 2]))
        assert same(stream.state, before)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert same(other([[1]])[0], made([[1]])[0])
    with recurra.engine("reference"):
        slow = made.stream(2)
    assert same(pickle.loads(pickle.dumps(slow)).step(np.array([1, 2])), slow.step(np.array([1, 2])))


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(
    ("root", "inputs"),
    [
        (stack(layer(cells.gru, 6, 6, num_layers=3, residual=True), linear(6, 2)), {}),
        (layer(cells.lstm, 6, (6, 4), num_layers=2, residual=True), {}),
        (stack(embedding(12, 6), layer(cells.gru, 6, 6, residual=True)), {}),
        (layer(cells.cfc, 6, 5, num_layers=2), {"dt": 0.5 + np.arange(12.0, dtype=np.float32).reshape(6, 2)}),
    ],
    ids=["residual", "sizes of layers", "tokens", "elapsed time"],
)
def test_steps_of_layers_that_are_no_chain_are_the_whole_sequence(root, inputs, engine):
    made = model(root)
    x = numbers(6, 2, 6) if made.layout.interface.input_size else np.arange(12).reshape(6, 2)
    with recurra.engine(engine):
        whole, last = made(x, **inputs)
        stream = made.stream(2)
    steps = [{name: given[t] for name, given in inputs.items()} for t in range(6)]
    outputs = [stream.step(x[t], **steps[t]) for t in range(3)]
    stream = pickle.loads(pickle.dumps(stream))
    outputs += [stream.step(x[t], **steps[t]) for t in range(3, 6)]
    assert same(np.stack(outputs), whole)
    assert same(stream.state, last)


def test_a_token_that_the_table_lacks_changes_nothing_in_a_stream_of_residual_layers():
    stream = model(stack(embedding(11, 6), layer(cells.gru, 6, 6, residual=True))).stream()
    stream.step(3)
    before = stream.state
    for token in (11, -1):
        with pytest.raises(IndexError, match="tokens must be 0 … 10"):
            stream.step(token)
    assert same(stream.state, before)


def test_many_threads_with_a_stream_each():
    """A run goes on alone while another thread's run has the pool; the next run may have the pool again."""
    code = (
        "import os, sys, threading\n"
        "import numpy as np\n"
        "from tests.runtime.models import lstm, model\n"
        "made = model(lstm(256, 256))\n"
        "x = np.ones((8, 256), np.float32)\n"
        "alone = made.stream(8)\n"
        "expected = [alone.step(x) for _ in range(200)][-1].tobytes()\n"
        "wrong = []\n"
        "def run():\n"
        "    stream = made.stream(8)\n"
        "    last = [stream.step(x) for _ in range(200)][-1]\n"
        "    wrong.append(last.tobytes() != expected)\n"
        "threads = [threading.Thread(target=run) for _ in range(3)]\n"
        "[t.start() for t in threads]\n"
        "[made(x[None].repeat(4, 0)) for _ in range(50)]\n"
        "[t.join() for t in threads]\n"
        "print(wrong)\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert run.stdout == "[False, False, False]\n", run.stderr


def test_one_stream_is_for_one_thread_at_a_time():
    made = model(lstm(256, 256))
    stream = made.stream(16)
    x = np.ones((16, 256), np.float32)
    refused = []

    def use(call):
        for _ in range(300):
            try:
                call()
            except RuntimeError as error:
                refused.append(str(error))

    calls = (lambda: stream.step(x), lambda: stream.feed(x[None]), stream.reset, stream.snapshot)
    threads = [threading.Thread(target=use, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refused) <= {"another thread is using this stream"}
    stream.reset()
    assert same(stream.step(x), made.stream(16).step(x))


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
    ],
)
def test_bad_steps(x, message):
    with pytest.raises(ValueError, match=message):
        model(lstm(4, 6)).stream().step(x)


def test_a_step_of_no_numbers():
    for bad in (np.array(["a"] * 4), np.array([True] * 4), np.array([1j] * 4)):
        with pytest.raises(TypeError, match="must be numbers"):
            model(lstm(4, 6)).stream().step(bad)
        streams = model(lstm(4, 6)).streams()
        with pytest.raises(TypeError, match="must be numbers"):
            streams.step(streams.join(), bad[None])


def test_a_cell_without_input():
    made = model(cell_part(cells.gru, 0, 4))
    assert made.stream().step(np.zeros((1, 0))).shape == (1, 4)


def test_what_cannot_be_stepped():
    with pytest.raises(RecurraError, match="bidirectional"):
        model(lstm(4, 6, bidirectional=True)).stream()
    for batch in (2**31, 2**62, 2**70):
        with pytest.raises(RecurraError, match="batch must be at most"):
            model(lstm(4, 6)).stream(batch)
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


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_no_steps(engine):
    with recurra.engine(engine):
        for part in (lstm(3, 5, num_layers=2), layer(cells.indrnn, 3, 4)):
            made = model(part)
            stream = made.stream(2)
            stream.step(numbers(2, 3))
            before = stream.snapshot()
            assert stream.feed(np.zeros((0, 2, 3))).shape == (0, 2, made.recurrent[0].output_size)
            assert stream.snapshot() == before
            output, _ = made(np.zeros((3, 0, 3)))
            assert output.shape == (3, 0, made.recurrent[0].output_size)


def test_a_token_for_several_sequences():
    stream = model(language_model()).stream(3)
    with pytest.raises(ValueError, match=r"must be \(batch=3\) numbers of tokens; got one"):
        stream.step(3)
