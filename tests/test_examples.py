"""Every example runs as it is, and says what it should."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {
    "lstm_from_scratch.py": "outputs (1120, 28), largest difference",
    "own_cell.py": "output (7, 3, 32) lengths [5, 3, 7] h_n (4, 3, 16) c_n (4, 3, 16)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_runs(name):
    run = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert SAYS[name] in run.stdout
