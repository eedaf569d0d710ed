"""Threads of the native engine without torch."""

import subprocess
import sys

import pytest

from recurra import _native
from recurra.engines.native import kernel as kernel_module

WITHOUT_TORCH = """
import os, sys
import numpy as np
from recurra import _native, cells
from recurra.compiler import plan, trace
from recurra.engines import Call
from recurra.engines.native import NativeEngine
from recurra.engines.native import kernel as kernel_module
from recurra.program import Sizes

def count():
    return len(os.listdir("/proc/self/task"))

def call(steps, batch, hidden):
    program = trace(cells.lstm)
    sizes = Sizes(8, hidden)
    draw = np.random.default_rng(0)
    arrays = [draw.standard_normal([s.value(sizes) for s in p.shape]).astype("f") * 0.1 for p in program.parameters]
    x, states = np.ones((steps, batch, 8), "f"), [np.zeros((batch, hidden), "f") for _ in range(2)]
    return NativeEngine().build(plan(program)).forward(Call(x, None, states, arrays, sizes)).output

os.environ["OMP_NUM_THREADS"] = "1"
call(20, 16, 64), call(20, 1, 256)
before = count()
small = call(2, 2, 4)
os.environ["OMP_NUM_THREADS"] = "2"
small = call(2, 2, 4)
tiny = count()
rows = call(20, 16, 64)
after = count()
columns = call(20, 1, 256)
os.environ["OMP_NUM_THREADS"] = "1"
assert (rows == call(20, 16, 64)).all() and (columns == call(20, 1, 256)).all()
assert "torch" not in sys.modules
print(tiny - before, after - before)
"""


def test_threads_are_used_where_they_pay_and_only_there():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "1"]


def test_no_more_threads_than_processors():
    """If the process may use only one processor, no thread is started, whatever number is set."""
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    done = subprocess.run([sys.executable, "-c", one + WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "0"]


@pytest.mark.parametrize(
    ("setting", "expected"), [("3", 3), (" 3", 3), ("03", 3), ("3,1", 3), ("²", None), ("0", None), ("many", None)]
)
def test_the_number_of_threads_without_torch(setting, expected, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert kernel_module.threads() == (_native.hardware_threads() if expected is None else expected)
