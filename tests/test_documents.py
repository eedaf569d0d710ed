"""The code and claims of README and docs are true."""

import re

import pytest
import torch

import recurra
from recurra.compiler import trace
from recurra.errors import EquationError
from tests.pages import ROOT, blocks


def run(source, tmp_path, **names):
    """Run a block as a file of its own, so that messages show its lines."""
    file = tmp_path / "model.py"
    file.write_text(source, encoding="utf-8")
    exec(compile(source, file, "exec"), names)
    return names


def test_the_first_screen(tmp_path):
    names = run(blocks("README.md", "python")[0], tmp_path, x=torch.randn(5, 3, 100))
    assert names["output"].shape == (5, 3, 40)
    assert names["h_n"].shape == names["c_n"].shape == (4, 3, 20)
    assert "weight" not in dict(names["layer"].named_parameters())


def test_the_imports(tmp_path):
    assert run(blocks("README.md", "python")[1], tmp_path)["LSTMCell"] is recurra.nn.LSTMCell


def test_the_message_about_shapes(tmp_path):
    source = "from recurra import *\n@cell\ndef mine(x, h, *, W):\n    z = x @ W\n    return tanh(z + h @ W)\n"
    with pytest.raises(EquationError) as error:
        trace(run(source, tmp_path)["mine"])
    shown = re.search(r"^(cell 'mine'.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)[1]
    shown = " ".join(shown.split())
    assert re.sub(r":\d+", "", str(error.value)) == re.sub(r":\d+", "", shown)


def test_the_message_about_dimensions():
    with pytest.raises(RuntimeError) as error:
        recurra.nn.LSTM(100, 20)(torch.zeros(3, 10, 99))
    assert str(error.value) in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_the_cell_of_the_guide(tmp_path):
    names = run("from recurra import *\nimport recurra\n" + blocks("docs/cells.md", "python")[0], tmp_path)
    assert trace(names["gru"]) == trace(recurra.cells.gru)


def test_an_existing_model_is_accelerated(tmp_path, capsys):
    model = torch.nn.Sequential(torch.nn.LSTM(3, 4))
    for document, number in (("README.md", 2), ("docs/accelerate.md", 0)):
        run("import recurra\n" + blocks(document, "python")[number], tmp_path, model=model)
    assert capsys.readouterr().out == "replaced 0 (LSTM)\n"
    assert type(model[0]) is torch.nn.LSTM


def test_the_guide_lists_every_function():
    guide = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")
    from recurra.equations import FUNCTIONS

    assert not [name for name in FUNCTIONS if not re.search(rf"\b{name}\b", guide)]


def test_the_zoo_is_listed():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in recurra.cells.all() if f"`{name}`" not in text]
