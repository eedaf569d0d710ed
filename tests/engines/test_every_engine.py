"""The tests of cells and layers pass on all engines: some of them run here on engines that are not the fastest."""

import subprocess
import sys

import pytest

from tests.sources import ROOT

# torch's fused layers run only LSTM, GRU and RNN.
SUITES = {
    "reference": [
        "tests/cells/test_options.py",
        "tests/nn/test_packing.py",
        "tests/nn/test_recurrent.py",
        "tests/nn/test_torch_samples.py",
    ],
    "torch": ["tests/nn/test_torch_samples.py", "tests/nn/test_module_state.py"],
}


def run_tests(engine, *arguments):
    """The exit code and the output of pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--engine", engine, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("engine", SUITES)
def test_suites_hold(engine):
    """Any other test runs with `python -m pytest --engine reference tests/…`."""
    code, output = run_tests(engine, *SUITES[engine])
    assert code == 0, output[-4_000:]
    assert " passed" in output


@pytest.mark.slow
def test_the_option_asks_for_an_engine():
    code, output = run_tests("warp", "-x", "tests/nn/test_recurrent.py")
    assert code == 1
    assert "there is no engine 'warp'" in output
