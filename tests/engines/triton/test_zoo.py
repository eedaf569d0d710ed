"""Kernels compute what the reference engine computes, in Triton's interpreter; and they compile for GPUs.

Both run in processes of their own, as Triton reads its settings once. ``tests/engines/triton/zoo.py`` has all cells.
"""

import os
import subprocess
import sys

from tests.sources import ROOT

NUMBERS = """
import sys
from tests.engines.triton import zoo
sys.exit(zoo.main(["gru", "on_lstm", "tau_gru", "skip_gru", "indrnn", "random:3"], layouts=[0, 3]))
"""


def run(*arguments, **environment):
    """The exit code and the output of Python."""
    found = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=found, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_numbers_of_cells():
    code, output = run("-c", NUMBERS)
    assert code == 0, output
    assert output.count("right: ") == 12
    assert {"sequences", "steps"} == {line.rpartition(" ")[2] for line in output.splitlines() if "right: " in line}


def test_kernels_compile_without_a_gpu(tmp_path):
    """Registers are not spilled, and shared memory is enough."""
    told = ("-m", "tests.engines.triton.compiling", "--cells", "mgu", "--sizes", "32", "512", "--capabilities", "90")
    code, output = run(*told, "--dtypes", "float32", TRITON_CACHE_DIR=str(tmp_path))
    assert code == 0, output
    assert output.count("| 90 |") == 7, output
