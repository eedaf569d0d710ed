"""What all tests share: one torch thread for each test process, as several run side by side; which examples hypothesis
draws: the same in every run of `make test`, new ones in every run of `make explore`."""

import os

import pytest
from hypothesis import settings

settings.register_profile("suite", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("suite")


def pytest_configure(config):
    if os.environ.get("PYTEST_XDIST_WORKER"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _engine_of_the_environment(monkeypatch):
    """Tests choose engines themselves."""
    monkeypatch.delenv("RECURRA_ENGINE", raising=False)
