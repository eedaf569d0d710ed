"""Weight drop: a call in training is the call of a layer with the masked weights, for any cell."""

import pytest
import torch
from torch.nn import functional

import recurra
from recurra import cells
from recurra.compiler import trace
from recurra.compiler.state_weights import state_matrices
from recurra.nn import Recurrent, WeightDrop, frozen

MATRICES = {
    "antisymmetric_rnn": ["M"],
    "fast_rnn": ["U"],
    "gru": ["weight_hh"],
    "gru_reset_before": ["U_r", "U_z", "U_n"],
    "indrnn": [],
    "layer_norm_lstm": ["U"],
    "lstm": ["weight_hh"],
    "mgu": ["U_f", "U_n"],
    "min_gru": [],
    "multiplicative_lstm": ["U_m", "M"],
    "peephole_lstm": ["U_i", "U_f", "U_g", "U_o"],
    "res_lstm": ["U_i", "U_f", "U_g", "U_o", "P"],
    "rnn": ["weight_hh"],
    "sgu": ["U_g", "U_z"],
    "t_gru": [],
}
DROPPED = [name for name, matrices in MATRICES.items() if matrices]


@pytest.mark.parametrize("name", MATRICES)
def test_matrices_that_multiply_a_state(name):
    assert state_matrices(trace(cells.all()[name])) == MATRICES[name]


@pytest.mark.parametrize("name", DROPPED)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_numbers_of_masked_weights(name, bidirectional):
    torch.manual_seed(0)
    options = {"num_layers": 2, "bidirectional": bidirectional, "dtype": torch.double}
    layer = WeightDrop(cells.all()[name], 4, 5, weight_drop=0.4, **options)
    plain = Recurrent(cells.all()[name], 4, 5, **options)
    x = torch.randn(6, 3, 4, dtype=torch.double)
    torch.manual_seed(1)
    output, state = layer(x)
    gradients = torch.autograd.grad(output.sum(), list(layer.parameters()))
    torch.manual_seed(1)
    masks, masked = {}, dict(layer.state_dict())
    suffixes = [f"_l{number}{end}" for number in range(2) for end in ("", "_reverse")[: 1 + bidirectional]]
    for full in (matrix + suffix for suffix in suffixes for matrix in MATRICES[name]):
        masks[full] = functional.dropout(torch.ones_like(masked[full]), 0.4, True)
        masked[full] = masked[full] * masks[full]
    assert all((mask == 0).any() for mask in masks.values())
    plain.load_state_dict(masked)
    expected, expected_state = plain(x)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(state, expected_state)
    for (full, _), found, wanted in zip(
        layer.named_parameters(), gradients, torch.autograd.grad(expected.sum(), list(plain.parameters())), strict=True
    ):
        torch.testing.assert_close(found, wanted * masks.get(full, 1), msg=full)


def test_checked_calls_and_direct_calls_draw_alike():
    torch.manual_seed(0)
    layer, x = WeightDrop(cells.lstm, 4, 5, weight_drop=0.5), torch.randn(6, 3, 4)
    results = []
    for reset in (None, torch.zeros(6, 3, dtype=torch.bool)):
        torch.manual_seed(1)
        results.append(layer(x, reset=reset)[0])
    torch.testing.assert_close(*results)


def test_evaluation_and_zero_draw_nothing():
    layer, x = WeightDrop(cells.gru, 4, 5, weight_drop=0.5), torch.randn(6, 3, 4)
    plain = Recurrent(cells.gru, 4, 5)
    plain.load_state_dict(layer.state_dict())
    before = torch.get_rng_state()
    assert torch.equal(layer.eval()(x)[0], plain(x)[0])
    layer.weight_drop = 0.0
    assert torch.equal(layer.train()(x)[0], plain(x)[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_the_weights_stay_after_a_failed_call():
    layer = WeightDrop(cells.lstm, 4, 5, weight_drop=0.5)
    before = dict(layer.named_parameters())
    with pytest.raises(RuntimeError):
        layer(torch.randn(6, 3, 7))
    assert all(parameter is before[name] for name, parameter in layer.named_parameters())


def test_frozen_weights_are_masked_too():
    layer, x = WeightDrop(cells.lstm, 4, 5, weight_drop=0.5), torch.randn(6, 3, 4)
    with frozen(layer), torch.no_grad():
        assert not torch.equal(layer(x)[0], layer(x)[0])
        layer.eval()
        assert torch.equal(layer(x)[0], layer(x)[0])


def test_a_file_holds_the_plain_layer(tmp_path):
    layer, x = WeightDrop(cells.mgu, 4, 5, 2, weight_drop=0.5, dropout=0.1).eval(), torch.randn(6, 3, 4)
    recurra.save(layer, tmp_path / "model")
    loaded = recurra.load(tmp_path / "model")
    assert type(loaded) is Recurrent
    assert torch.equal(loaded(x)[0], layer(x)[0])


def test_impossible_arguments():
    with pytest.raises(ValueError, match="weight_drop must be a probability from 0 to 1"):
        WeightDrop(cells.lstm, 4, 5, weight_drop=1.5)
    with pytest.raises(ValueError, match="cell 'indrnn' has no matrix that multiplies a state"):
        WeightDrop(cells.indrnn, 4, 5)
    assert repr(WeightDrop(cells.mgu, 4, 5, weight_drop=0.25)) == "WeightDrop(mgu, 4, 5, weight_drop=0.25)"
