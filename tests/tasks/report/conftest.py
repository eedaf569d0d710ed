"""Runs that tests read, or copy first."""

from pathlib import Path

import pytest

from tests.tasks.report.runs import make_runs


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of :func:`make_runs`."""
    return Path(make_runs(tmp_path_factory.mktemp("made")))
