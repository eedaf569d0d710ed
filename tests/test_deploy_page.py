"""The steps of docs/deploy.md work as they are written; only the training is shorter."""

import re
import shlex
import subprocess
import sys

import pytest

from recurra.cli import main
from tests.pages import blocks

PAGE = "docs/deploy.md"
SHORT = "--hidden 12 --seq-len 16 --batch-size 4 --epochs 1 --eval-every 20"
WITHOUT_TORCH = "import sys\nfor name in ('torch', 'onnx', 'typer'): sys.modules[name] = None\n"


def python(source, *arguments):
    run = subprocess.run([sys.executable, "-c", source, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text("The cat sat on the mat\nThe dog sat on the log\n" * 40)
    return tmp_path


@pytest.mark.slow
def test_from_a_text_to_a_script_that_writes(folder, capsys):
    [commands] = blocks(PAGE, "sh")
    script, *_ = blocks(PAGE, "python")
    for command in commands.splitlines():
        words = shlex.split(command.replace("--hidden 256 --minutes 5", SHORT))
        if words[0] == "recurra":
            assert main(words[1:]) == 0
            continue
        assert words[:2] == ["python", "write.py"]
        written = python(WITHOUT_TORCH + script, *words[2:])
    assert written.startswith("The ")
    text, _, score = written.removesuffix("\n").rpartition("\n")
    assert len(text) == len("The ") + 300
    assert re.fullmatch(r"\d+\.\d\d bits per character, most of them at token [0-3]", score)
    shown = capsys.readouterr().out
    assert "root mean square" in shown
    assert "bits per token" in shown
    assert "recurrent: Recurrent(" in shown


@pytest.mark.slow
def test_from_somebodys_model_to_a_stream(folder):
    _, torch_side, numpy_side = blocks(PAGE, "python")
    python(torch_side)
    python(WITHOUT_TORCH + numpy_side)
