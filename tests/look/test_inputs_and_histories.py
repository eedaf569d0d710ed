"""Explanations of cells with sizes of their own, several inputs a step and histories."""

import numpy as np
import pytest
import torch

import recurra
from recurra import concat, delay, exp, tanh
from recurra.look.live_page.cell_table import cell_tables
from recurra.nn import Recurrent


@recurra.cell(inputs={"x": None, "dt": 1.0, "mask": None})
def decaying(x, dt, mask, h, *, D, W, w):
    d = tanh(x @ D)
    h = exp(-dt * w) * h
    h = mask * tanh(concat(d, h, delay(x)) @ W)
    return h


def test_a_bare_cell():
    text = str(recurra.explain(decaying, sizes={"d": 7}))
    assert "%" not in text
    for line in (
        "x          (batch, input)   input of this step  ← the argument",
        "dt         (batch,)         input dt of this step  ← the argument",
        "state x_history: the values of x in the steps before",
        "W  (input + hidden + 7, hidden)",
        "x, dt, mask",
    ):
        assert line in text, text
    with pytest.raises(recurra.EquationError, match=r"give the size: sizes=\{'d': n\}"):
        recurra.explain(decaying)
    with pytest.raises(ValueError, match="sizes= for a bare cell alone"):
        recurra.explain(Recurrent(decaying, 3, 4, sizes={"d": 7}), sizes={"d": 8})


def test_a_layer():
    text = str(recurra.explain(Recurrent(decaying, 3, 4, sizes={"d": 7}), torch.randn(6, 2, 3)))
    assert "%" not in text
    for line in (
        "dt           (6, 2, 1)  (seq_len, batch, 1)                 the input dt; 1 by default",
        "mask         (6, 2, 1)  (seq_len, batch, 1)                 the input mask\n",
        "x_history_0  (1, 2, 3)",
        "W_l0  (14, 4)  (input + hidden + 7, hidden)",
    ):
        assert line in text, text


def test_the_page_of_shapes():
    own = recurra.cell(inputs=("x", "dt", "mask"), sizes={"d": 7})(decaying.function)
    [table] = cell_tables([own])
    names = [row[0] for row in table["rows"]]
    assert names[:3] == ["x", "dt", "mask"]
    assert not any(name.startswith("%") for name in names)
    assert table["states"] == ["h", "x_history"]


def test_look_takes_the_defaults():
    @recurra.cell(inputs={"x": None, "dt": 2.0})
    def timed(x, dt, h, *, W, w):
        h = exp(-dt * w) * h + x @ W
        return h

    layer = Recurrent(timed, 3, 4)
    x = torch.randn(6, 2, 3)
    seen = recurra.look.gates(layer, x)
    expected = layer(x[:, 0], return_trace=True)[2]["h", 0, 0]
    np.testing.assert_allclose(seen.values["h"], expected.detach(), rtol=1e-5, atol=1e-6)
    assert (seen.values["dt"] == 2).all()
    with pytest.raises(TypeError, match="cell 'decaying' needs the input mask too"):
        recurra.look.gates(Recurrent(decaying, 3, 4, sizes={"d": 7}), x)
