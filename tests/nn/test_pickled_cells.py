"""Layers whose cell was made in a function: a pickle holds its program, a copy the cell itself."""

import copy
import pickle

import pytest
import torch

import recurra
from tests.nn.support import ours


def local_cell():
    factor = 3

    @recurra.cell(init={"b": 1.0})
    def local(x, h, *, W, U, b, act=recurra.tanh):
        h = act(x @ W + h @ U + b) * factor
        return h

    return local


@pytest.mark.parametrize("module", ["Recurrent", "RecurrentCell"])
def test_the_program_travels(module):
    layer = getattr(ours, module)(local_cell(), 3, 4, act=recurra.sigmoid)
    x = torch.randn(2, 5, 3) if module == "Recurrent" else torch.randn(2, 3)
    again = pickle.loads(pickle.dumps(layer))
    for other in (again, pickle.loads(pickle.dumps(again)), copy.deepcopy(layer), copy.copy(layer)):
        for own, expected in zip(other(x), layer(x), strict=True):
            torch.testing.assert_close(own, expected, rtol=0, atol=0)
    again.reset_parameters()
    assert (getattr(again, "b_l0" if module == "Recurrent" else "b") == 1).all()
    assert copy.deepcopy(layer).cell is copy.copy(layer).cell is layer.cell
    assert repr(copy.deepcopy(layer)) == repr(layer)
