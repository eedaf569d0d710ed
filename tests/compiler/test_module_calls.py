"""Cells that call a torch module: the message names cell, line and what to write instead."""

import pytest
import torch

import recurra
from recurra import nn
from recurra.compiler import trace
from recurra.errors import EquationError


class Own(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Tanh()

    def forward(self, x):
        return self.inner(x.view(-1))


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        (torch.nn.Linear(4, 4), "Linear", r"write `x @ W \+ b`"),
        (torch.nn.Tanh(), "Tanh", r"write recurra's `tanh\(…\)`"),
        (torch.nn.LayerNorm(4), "LayerNorm", r"write recurra's `layer_norm\(…\)`"),
        (torch.nn.GRUCell(4, 4), "GRUCell", "write its equations, with its weights as parameters"),
        (nn.GRUCell(4, 4), "GRUCell", "write its equations, with its weights as parameters"),
        (Own(), "Own", "write its equations"),
    ],
    ids=["Linear", "Tanh", "LayerNorm", "torch's cell", "recurra's cell", "own"],
)
def test_the_message(module, name, advice):
    @recurra.cell
    def calling(x, h, *, W, U):
        h = recurra.tanh(x @ W + module(h) @ U)
        return h

    with pytest.raises(
        EquationError, match=rf"cell 'calling' \(test_module_calls.py:\d+\): .* {name}, .*{advice}"
    ) as e:
        trace(calling)
    assert "h = recurra.tanh(x @ W + module(h) @ U)" in str(e.value)


def test_an_error_of_another_origin_stays():
    @recurra.cell
    def broken(x, h, *, W):
        return h @ W + [][0] + x

    with pytest.raises(IndexError):
        trace(broken)


def test_linear_as_a_function():
    @recurra.cell
    def calling(x, h, *, W, U):
        return recurra.tanh(torch.nn.functional.linear(x, W) + h @ U)

    with pytest.raises(EquationError, match=r"`torch\.linear` on `x`: write `x @ W \+ b`"):
        trace(calling)
