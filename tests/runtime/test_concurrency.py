"""Threads that share a model or a stream, and errors in the middle of a step."""

import sys
import threading

import numpy as np
import pytest

import recurra
from recurra import cells
from recurra.engines.native import NativeEngine
from recurra.packed.packed_program import PackedProgram
from tests.runtime.models import layer, linear, lstm, model, same, stack

X = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)


@pytest.fixture
def hasty():
    """Switch threads as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_first_calls_of_several_threads(hasty):
    for hidden in range(20, 40):
        made = model(stack(lstm(3, hidden, num_layers=2), linear(hidden, 4)))
        found = []
        threads = [threading.Thread(target=lambda m=made, f=found: f.append(m(X)[0])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(same(output, made(X)[0]) for output in found)


def test_a_plan_has_one_kernel(hasty):
    """A plan has one kernel, even if several threads build it at once, or hundreds of others were built since."""
    engine = NativeEngine()
    for _ in range(20):
        plan = model(layer(cells.gru, 3, 4)).recurrent[0].programs[0][0].plan
        NativeEngine.build.cache_clear()
        found = []
        threads = [threading.Thread(target=lambda p=plan, f=found: f.append(engine.build(p))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        NativeEngine.build.cache_clear()
        assert {id(kernel) for kernel in found} == {id(engine.build(plan))}


def test_a_stream_that_is_busy_refuses():
    stream = model(lstm(3, 4)).stream(2)
    stream.step(X[0])
    state = stream.state
    with stream._lock:
        for call in (
            lambda: stream.step(X[1]),
            lambda: stream.feed(X),
            lambda: stream.reset(),
            lambda: setattr(stream, "state", state),
            lambda: stream.restore(stream.snapshot()),
        ):
            with pytest.raises(RuntimeError, match="another thread is using this stream"):
                call()
    assert all(same(a, b) for a, b in zip(stream.state, state, strict=True))


class Broken(Exception):
    """An error that is raised in the middle of a step."""


def broken(*arguments):
    raise Broken


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_streams_step_all_parts_or_none(engine, monkeypatch):
    made = model(stack(lstm(3, 4), lstm(4, 4)))
    with recurra.engine(engine):
        streams = made.streams()
        ids = streams.join(2)
        streams.step(ids, X[0])
        before = streams.snapshot(ids)
        with monkeypatch.context() as patch:
            patch.setattr(PackedProgram, "__call__", _second_fails(PackedProgram.__call__))
            with pytest.raises(Broken):
                streams.step(ids, X[1])
        assert streams.snapshot(ids) == before


def test_a_stream_steps_all_parts_or_none(monkeypatch):
    made = model(stack(lstm(3, 4), lstm(4, 4)))
    with recurra.engine("reference"):
        stream = made.stream(2)
        stream.step(X[0])
        before = stream.snapshot()
        with monkeypatch.context() as patch:
            kernel = made.recurrent[1].programs[0][0].kernel("float32")[0].__class__
            patch.setattr(kernel, "forward", _second_fails(kernel.forward))
            with pytest.raises(Broken):
                stream.step(X[1])
        assert stream.snapshot() == before


def _second_fails(original):
    calls = []

    def call(self, *arguments):
        calls.append(self)
        return original(self, *arguments) if len(calls) < 2 else broken()

    return call


def test_without_memory_for_an_output_no_step_is_taken(monkeypatch):
    fails = [False]
    original = np.empty

    def empty(*arguments, **named):
        return broken() if fails[0] else original(*arguments, **named)

    monkeypatch.setattr(np, "empty", empty)
    stream = model(lstm(3, 4)).stream(2)
    stream.step(X[0])
    before, fails[0] = stream.snapshot(), True
    with pytest.raises(Broken):
        stream.step(X[1])
    fails[0] = False
    assert stream.snapshot() == before


def test_a_stream_keeps_its_engine():
    made = model(lstm(3, 20))
    with recurra.engine("reference"):
        stream, expected = made.stream(2), made(X)[0]
    assert same(np.stack([stream.step(x) for x in X]), expected)


@recurra.cell
def remembering(x, h, p, *, W, U, b):
    return recurra.tanh(x @ W + p @ U + h + b), x


def test_a_state_is_not_the_callers_array():
    with recurra.engine("reference"):
        stream = model(layer(remembering, 4, 4)).stream()
        x = np.ones((1, 4), np.float32)
        stream.step(x)
        stream.reset()
    assert (x == 1).all()


def test_steps_on_any_engine_are_one_at_a_time():
    """Every step counts once or is refused, on the reference engine too."""
    with recurra.engine("reference"):
        stream = model(lstm(3, 4)).stream(2)
    before, refused, done = stream.state, [], []

    def hammer():
        for _ in range(100):
            try:
                done.append(stream.step(X[0][:2]))
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refused) <= {"another thread is using this stream"}
    reference = model(lstm(3, 4)).stream(2)
    reference.state = before
    for _ in done:
        reference.step(X[0][:2])
    for found, expected in zip(stream.state, reference.state, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
