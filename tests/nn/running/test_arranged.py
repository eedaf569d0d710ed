"""Direct calls of layers with residuals, merged directions or sizes of their own give the numbers of checked calls."""

import pytest
import torch
from torch import Tensor

import recurra
from recurra import cells
from recurra.nn import GRU, LSTM, Recurrent

ARRANGED = {
    "residual": lambda **more: LSTM(6, 6, num_layers=2, residual=True, **more),
    "mean": lambda **more: GRU(6, 6, num_layers=2, bidirectional=True, merge_mode="ave", residual=True, **more),
    "sizes": lambda **more: Recurrent(cells.lstm, 6, [6, 5, 4], residual=True, **more),
    "learned": lambda **more: Recurrent(
        cells.gru, 6, [6, 4], bidirectional=True, merge_mode="mul", learn_initial_state=True, **more
    ),
}


def flat(values):
    return [values] if isinstance(values, Tensor) else [each for value in values for each in flat(value)]


def same(a, b):
    assert len(flat(a)) == len(flat(b))
    return all(torch.equal(one, other) for one, other in zip(flat(a), flat(b), strict=True))


def checked(layer, x, state=None):
    return layer._checked_call(x, state, None, False, {})


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", ARRANGED)
def test_direct_calls_are_checked_calls_to_the_bit(name, batch_first):
    layer, x = ARRANGED[name](batch_first=batch_first), torch.randn(4, 3, 6)
    with torch.no_grad():
        found = layer(x)
        assert layer._calls.levels is not None
        assert same(found, checked(layer, x))
        assert type(found[1]) is type(checked(layer, x)[1])
        assert same(layer(x, found[1]), checked(layer, x, found[1]))


@pytest.mark.parametrize("name", ARRANGED)
def test_gradients_of_direct_calls_are_those_of_checked_calls(name):
    layer, x = ARRANGED[name]().double(), torch.randn(4, 3, 6, dtype=torch.float64, requires_grad=True)
    wanted = [x, *layer.parameters()]
    gradients = []
    for output, last in (layer(x), checked(layer, x)):
        total = output.square().sum() + sum(value.sum() for value in flat(last))
        gradients.append(torch.autograd.grad(total, wanted))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_frozen_weights_of_an_arranged_layer_change_after_thawing():
    layer, x = ARRANGED["residual"]().eval(), torch.randn(4, 3, 6)
    with torch.no_grad():
        with recurra.frozen(layer):
            before = layer(x)[0]
            assert layer._calls.levels[0]._calls.is_frozen
        layer.weight_hh_l1.mul_(2)
        assert same(layer(x), checked(layer, x))
        assert not torch.equal(layer(x)[0], before)


@pytest.mark.parametrize("name", ["residual", "sizes"])
def test_states_of_another_form_are_refused_by_name(name):
    layer = ARRANGED[name]()
    with pytest.raises((RuntimeError, ValueError, TypeError), match=r"h_0|state"):
        layer(torch.randn(4, 3, 6), (torch.zeros(7, 3, 6), torch.zeros(7, 3, 6)))


def test_dropout_between_arranged_layers_draws_the_masks_of_a_checked_call():
    layer, x = ARRANGED["residual"](dropout=0.5), torch.randn(4, 3, 6)
    torch.manual_seed(5)
    found = layer(x)
    torch.manual_seed(5)
    assert same(found, checked(layer, x))
