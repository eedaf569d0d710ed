"""Claims of README and docs are true; tests/documents runs the code."""

import re
import sys

import pytest
import torch

import recurra
from recurra.compiler import trace
from recurra.errors import EquationError
from tests.pages import ROOT


def run(source, tmp_path, **names):
    """Run a block as a file of its own, so that messages show its lines."""
    file = tmp_path / "model.py"
    file.write_text(source, encoding="utf-8")
    exec(compile(source, file, "exec"), names)
    return names


def test_the_message_about_shapes(tmp_path):
    source = "from recurra import *\n@cell\ndef mine(x, h, *, W):\n    z = x @ W\n    return tanh(z + h @ W)\n"
    with pytest.raises(EquationError) as error:
        trace(run(source, tmp_path)["mine"])
    shown = re.search(r"^(cell 'mine'.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)[1]
    shown = shown.rstrip() if sys.version_info >= (3, 11) else re.sub(r"\n *[~^]+\n", "\n", shown.rstrip())
    assert re.sub(r":\d+", "", str(error.value)) == re.sub(r":\d+", "", shown)


def test_the_message_about_dimensions():
    with pytest.raises(RuntimeError) as error:
        recurra.nn.LSTM(100, 20)(torch.zeros(3, 10, 99))
    assert str(error.value) in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_the_guide_lists_every_function():
    guide = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")
    from recurra.equations import FUNCTIONS

    assert not [name for name in FUNCTIONS if not re.search(rf"\b{name}\b", guide)]


def test_the_ready_cells_of_the_readme_are_in_the_zoo():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.search(r"lists the zoo: (.*?)\.", text, re.S)[1]
    names = re.findall(r"`(\w+)`", listed)
    assert len(names) > 10
    assert set(names) < set(recurra.cells.all())
