"""Settings of all tests: one thread for each process, as many run side by side, and the random numbers.
Tests that need no torch run without it.
`make test` draws the same numbers in every run and in any order of the tests, `make explore` new examples each time."""

import os
import signal
import sys

import pytest
from hypothesis import settings

# For torch and numpy, here and in the processes that tests start: where several processes share the processors, their
# threads wait for each other most of the time. Tests of threads set their number.
os.environ["OMP_NUM_THREADS"] = "1"
# Hundreds of these processes would each compile the same sources again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What a script starts in the background ignores Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("suite")


def pytest_addoption(parser):
    parser.addoption("--engine", help="the engine of all tests that choose none: reference, torch, native")


@pytest.fixture(autouse=True)
def _engine_of_the_environment(monkeypatch, request):
    """The option alone chooses the engine, not the environment that the tests are started in."""
    if name := request.config.getoption("--engine"):
        monkeypatch.setenv("RECURRA_ENGINE", name)
    else:
        monkeypatch.delenv("RECURRA_ENGINE", raising=False)


@pytest.fixture(autouse=True)
def _numbers_of_no_other_test():
    """Torch's random numbers do not depend on which tests this process ran before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
