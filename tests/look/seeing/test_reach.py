"""``gradient_reach``: exact Jacobians, for several cells side by side."""

import numpy as np
import pytest
import torch
from torch import nn

from recurra import cells, look
from recurra.nn import GRUCell, Recurrent
from tests.cells.representatives import ZOO
from tests.look.seeing.loops import LOOPS

T, F, H = 6, 3, 4


def norms_of(outputs, values, order):
    """The norms of the Jacobians of a vector for each of several others, by autograd."""
    found = []
    for value in values:
        rows = [torch.autograd.grad(each, value, retain_graph=True)[0] for each in outputs]
        found.append(float(torch.linalg.matrix_norm(torch.stack(rows), order)))
    return np.array(found)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("norm", ["frobenius", "spectral"])
@pytest.mark.parametrize("direction", [0, 1])
def test_the_norms_are_autograd_s(kind, norm, direction):
    torch.manual_seed(0)
    layer, x = getattr(nn, kind)(F, H, bidirectional=True).double(), torch.randn(T, 2, F)
    found = LOOPS[kind](layer, x[:, 1].double(), 0, bool(direction))
    reach = look.gradient_reach(layer, x, sequence=1, direction=direction, norm=norm)
    for state in ("h", "c") if kind == "LSTM" else ("h",):
        ordered = found[state][::-1] if direction else found[state]
        expected = norms_of(found["h"][0 if direction else -1], ordered, "fro" if norm == "frobenius" else 2)
        np.testing.assert_allclose(reach[kind, state], expected, rtol=1e-10)
    assert reach[kind][-1] == pytest.approx(2.0 if norm == "frobenius" else 1.0)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_the_caller_has_turned_gradients_off(off, dtype):
    layer = nn.LSTM(3, 4, dtype=dtype)
    x = torch.randn(6, 1, 3, dtype=dtype)
    expected = look.gradient_reach(layer, x)
    with off():
        found = look.gradient_reach(layer, x.clone())
    for key, norms in expected.norms.items():
        np.testing.assert_array_equal(found.norms[key], norms)


def test_upper_layers_see_the_input_through_the_lower_ones():
    torch.manual_seed(0)
    layer, x = nn.GRU(F, H, num_layers=2).double(), torch.randn(T, F)
    below = torch.stack(LOOPS["GRU"](layer, x.double())["h"])
    found = LOOPS["GRU"](layer, below, 1)["h"]
    np.testing.assert_allclose(look.gradient_reach(layer, x)["GRU"], norms_of(found[-1], found, "fro"), rtol=1e-10)
    lower = LOOPS["GRU"](layer, x.double())["h"]
    np.testing.assert_allclose(
        look.gradient_reach(layer, x, layer=0)["GRU"], norms_of(lower[-1], lower, "fro"), rtol=1e-10
    )


def test_every_cell_of_the_zoo_side_by_side():
    reach = look.gradient_reach(list(ZOO), seq_len=12, input_size=6, hidden_size=6)
    assert reach.names == tuple(ZOO)
    assert all(np.isfinite(norms).all() and len(norms) == 12 for norms in reach.norms.values())
    assert "lstm c" in str(reach)
    assert "exact" in str(reach)


def test_a_cell_that_forgets_nothing_and_one_that_forgets_at_once():
    keeping = Recurrent(cells.indrnn, F, H)
    with torch.no_grad():
        keeping.u_l0.fill_(1.0)
        keeping.W_l0.fill_(0.1)
        keeping.b_l0.zero_()
    forgetting = nn.RNN(F, H)
    nn.init.zeros_(forgetting.weight_hh_l0)
    reach = look.gradient_reach({"keeps": keeping, "forgets": forgetting}, torch.ones(30, F))
    np.testing.assert_allclose(reach["keeps"], 2.0)
    assert reach.steps_back("keeps") == 29
    np.testing.assert_array_equal(reach["forgets"][:-1], 0.0)
    assert reach.steps_back("forgets") == 0


def test_an_estimate_says_so_and_is_near():
    layer = nn.GRU(F, 16)
    exact = look.gradient_reach(layer, seq_len=10, input_size=F)
    estimate = look.gradient_reach(layer, seq_len=10, input_size=F, samples=400)
    np.testing.assert_allclose(estimate["GRU"], exact["GRU"], rtol=0.2)
    assert "estimated with 400 random vectors" in str(estimate)


def test_cells_modules_and_names():
    reach = look.gradient_reach(
        [cells.gru, GRUCell(F, H), nn.GRUCell(F, H), nn.LSTMCell(F, H)], seq_len=5, input_size=F
    )
    assert reach.names == ("gru", "gru 2", "GRUCell", "LSTMCell")


@pytest.mark.parametrize(
    ("targets", "options", "error", "message"),
    [
        (["lstn"], {}, ValueError, "no cell 'lstn'"),
        ([], {}, ValueError, "nothing to look at"),
        ([nn.Linear(1, 2)], {}, TypeError, "not Linear"),
        (["gru"], {"norm": "max"}, ValueError, "norm must be"),
        (["gru"], {"norm": "spectral", "samples": 3}, ValueError, "samples"),
        (["gru"], {"layer": 1}, IndexError, "layers 0 to 0; got layer=1"),
        (["gru"], {"direction": 1}, IndexError, "directions 0 to 0"),
        (["gru"], {"seq_len": 0}, ValueError, "seq_len"),
    ],
)
def test_what_is_refused(targets, options, error, message):
    with pytest.raises(error, match=message):
        look.gradient_reach(targets, **options)
