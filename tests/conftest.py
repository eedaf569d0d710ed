"""What all tests share: one torch thread for each test process, as several run side by side."""

import os

import pytest


def pytest_configure(config):
    if os.environ.get("PYTEST_XDIST_WORKER"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _engine_of_the_environment(monkeypatch):
    """Tests choose engines themselves."""
    monkeypatch.delenv("RECURRA_ENGINE", raising=False)
