"""Runs of the real command that are killed at random moments and resumed end as one that never was.

``python -m tests.cli.kills --count 200 --processes 2`` kills more, in two processes.
"""

import json
import subprocess
import sys

import pytest

from tests.sources import ROOT


@pytest.mark.slow
def test_twenty_kills() -> None:
    command = [sys.executable, "-m", "tests.cli.kills", "--count", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["kills"] == 20
