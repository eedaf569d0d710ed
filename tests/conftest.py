"""Settings of all tests: one torch thread for each test process, as many run side by side, and the random numbers.
Tests that need no torch run without it.
`make test` draws the same numbers in every run and in any order of the tests, `make explore` new examples each time."""

import importlib.util
import os
import sys

import pytest
from hypothesis import settings

settings.register_profile("suite", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("suite")


def pytest_addoption(parser):
    parser.addoption("--engine", help="the engine of all tests that choose none: reference, torch, native")


def pytest_configure(config):
    if os.environ.get("PYTEST_XDIST_WORKER") and importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)


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
