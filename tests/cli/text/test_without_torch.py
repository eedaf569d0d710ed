"""sample, eval and score where torch is not installed: the same output as beside it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Call = Any

PROGRAM = "import sys; sys.modules['torch'] = None; from recurra.cli import main; sys.exit(main())"


@pytest.mark.parametrize("kind", ["run", "file"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "RUN", "--prompt", "the ", "--seed", "3", "--json"),
        ("eval", "RUN", "TEXT"),
        ("score", "RUN", "TEXT"),
    ],
    ids=["sample", "eval", "score"],
)
def test_the_same_output(call: Call, runs: Path, arguments: tuple[str, ...], kind: str) -> None:
    run = runs / "word" if kind == "run" else runs / "word" / "model.safetensors"
    given = [{"RUN": str(run), "TEXT": str(runs / "text.txt")}.get(each, each) for each in arguments]
    done = subprocess.run([sys.executable, "-c", PROGRAM, "text", *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == call("text", *given)[1]


def test_torch_is_not_loaded_where_it_is_installed(runs: Path) -> None:
    program = (
        "import sys; from recurra.cli import main\n"
        f"code = main(['text', 'eval', {str(runs / 'char')!r}, {str(runs / 'text.txt')!r}])\n"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
