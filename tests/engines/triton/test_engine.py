"""Kernels compute what the reference engine computes, in Triton's interpreter; and they compile for GPUs.

Both run in processes of their own, as Triton reads its settings once. ``tests/engines/triton/zoo.py`` has all cells.
"""

import os
import subprocess
import sys

import pytest

from tests.sources import ROOT


def run(*arguments, **environment):
    """The exit code and the output of Python."""
    found = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=found, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_interpreter_runs_kernels():
    options = ("-q", "-p", "no:cacheprovider", "tests/engines/triton/in_interpreter.py")
    code, output = run("-m", "pytest", *options, TRITON_INTERPRET="1")
    assert code == 0, output
    assert " passed" in output


@pytest.mark.parametrize(("options", "rows"), [(("--sizes", "32", "512"), 7), (("--packed", "--sizes", "32"), 2)])
def test_kernels_compile_without_a_gpu(tmp_path, options, rows):
    """Registers are not spilled, and shared memory is enough; for packed batches with resets too."""
    told = ("-m", "tests.engines.triton.compiling", "--cells", "mgu", "--capabilities", "90", "--dtypes", "float32")
    code, output = run(*told, *options, TRITON_CACHE_DIR=str(tmp_path))
    assert code == 0, output
    assert output.count("| float32 | 90 |") == rows, output
