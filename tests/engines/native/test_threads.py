"""Threads of the native engine beside threads of Python, other processes, and other callers."""

import multiprocessing
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.compiler import plan, trace
from recurra.engines import Call
from recurra.engines.native import NativeEngine
from recurra.nn import pack_padded_sequence
from recurra.program import Sizes
from tests.engines.native.layers import assert_equal, gradients, inputs_of, layer_of, run, threads

LARGE = [("lstm", 12, 16, 64), ("gru", 8, 1, 256), ("res_lstm", 40, 40, 64), ("rnn", 20, 33, 96)]


def everything(layer, x, states):
    values = run(layer, x, states)
    return [*values, *gradients(values, [x, *states, *layer.parameters()])]


def test_many_callers_at_once():
    """Callers have a layer each, or share one. Some find the pool busy and run alone."""
    layers = [layer_of(name, 24, hidden, torch.float32) for name, _, _, hidden in LARGE]
    calls = [
        (layer, *inputs_of(layer, steps, batch)) for layer, (_, steps, batch, _) in zip(layers, LARGE, strict=True)
    ]
    with threads(1):
        expected = [everything(*call) for call in calls]

    def several(first):
        torch.set_num_threads(2)
        return [(n % len(calls), everything(*calls[n % len(calls)])) for n in range(first, first + 12)]

    with threads(2), ThreadPoolExecutor(4) as executor:
        for results in executor.map(several, range(8)):
            for number, found in results:
                assert_equal(found, expected[number], LARGE[number][0])


@pytest.mark.parametrize("busy", [0, 3])
def test_any_number_of_threads_beside_busy_processes(busy):
    """The bits are those of one thread, no matter how late helpers come, or whether they come at all."""
    calls = []
    for name, steps, batch, hidden in LARGE:
        layer = layer_of(name, 24, hidden, torch.float32)
        calls.append((layer, *inputs_of(layer, steps, batch)))
    packed = layer_of("lstm", 24, 64, torch.float32)
    lengths = [40 - n for n in range(24)]
    rows = pack_padded_sequence(inputs_of(packed, 40, 24)[0], lengths)
    with threads(1):
        expected = [everything(*call) for call in calls]
        of_packed = packed(rows)[0].data
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        for count in (2, 3, 8, 2):
            with threads(count):
                for _ in range(3):
                    for call, wanted in zip(calls, expected, strict=True):
                        assert_equal(everything(*call), wanted, f"{count} threads")
                    assert_equal([packed(rows)[0].data], [of_packed])
    finally:
        for other in others:
            other.kill()
            other.wait()


def in_child(connection):
    torch.set_num_threads(2)
    try:
        made = []
        for name, steps, batch, hidden in LARGE:
            layer = layer_of(name, 24, hidden, torch.float32)
            x, states = inputs_of(layer, steps, batch)
            with torch.no_grad():
                made.append([value.numpy() for value in run(layer, x, states)])
        connection.send(made)
    finally:
        connection.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_runs_threads_of_its_own():
    """A child lacks the pool's threads, and must not wait for them. The parent forks twice, and goes on."""
    expected = []
    with threads(2), torch.no_grad():
        for name, steps, batch, hidden in LARGE:
            layer = layer_of(name, 24, hidden, torch.float32)
            x, states = inputs_of(layer, steps, batch)
            for _ in range(3):
                values = run(layer, x, states)
            expected.append(values)
        context = multiprocessing.get_context("fork")
        for _ in range(2):
            here, there = context.Pipe(duplex=False)
            child = context.Process(target=in_child, args=(there,))
            child.start()
            there.close()
            try:
                assert here.poll(60), "the child hangs"
                made = here.recv()
                child.join(60)
                assert child.exitcode == 0
            finally:
                child.kill()
                child.join()
            for mine, other in zip(made, expected, strict=True):
                assert_equal([torch.from_numpy(value) for value in mine], other)
            assert_equal(run(layer, x, states), expected[-1])


BESIDE_TORCH = """
import os
import torch
from recurra.nn import LSTM

def count():
    return len(os.listdir("/proc/self/task"))

torch.set_num_threads(2)
layer, x = LSTM(32, 64), torch.randn(20, 16, 32)
numbers = torch.ones(1 << 22)
with torch.no_grad():
    numbers.exp()
    before = count()
    shared = layer(x)[0]
    assert count() == before, (before, count())
    torch.set_num_threads(1)
    assert torch.equal(layer(x)[0], shared)
"""


def test_torch_s_threads_are_shared():
    done = subprocess.run([sys.executable, "-c", BESIDE_TORCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_other_python_threads_run_during_a_call():
    program = trace(cells.gru)
    sizes = Sizes(64, 256)
    draw = np.random.default_rng(0)
    arrays = [draw.standard_normal([s.value(sizes) for s in p.shape]).astype("f") * 0.05 for p in program.parameters]
    x, states = np.zeros((2000, 8, 64), "f"), [np.zeros((8, 256), "f")]
    kernel = NativeEngine().build(plan(program))
    kernel.forward(Call(x[:1], None, states, arrays, sizes))
    ticks, is_over, interval = [], threading.Event(), sys.getswitchinterval()

    def tick():
        while not is_over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    try:
        begin = time.perf_counter()
        with threads(1):
            kernel.forward(Call(x, None, states, arrays, sizes))
        end = time.perf_counter()
    finally:
        is_over.set()
        other.join()
    assert end - begin > 0.05, "the call is too short to tell"
    middle = [t for t in ticks if begin + 0.01 < t < end - 0.01]
    assert len(middle) > 3, f"{len(middle)} steps in {end - begin:.2f} s; switches every {interval} s"
