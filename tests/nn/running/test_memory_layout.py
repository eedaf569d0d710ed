"""Numbers may lie anywhere in memory, and rows in any order: the results are the same to the bit."""

import pytest
import torch
from torch import nn

import recurra
from recurra.nn import LSTM, pack_sequence
from tests.cells.representatives import CELLS
from tests.engines.native.layers import assert_equal, gradients, inputs_of, layer_of, run


def elsewhere(parameter):
    """The same numbers, with the dimensions in another order in memory, and a gap of one element between features."""
    order = list(range(parameter.dim()))[::-1]
    moved = torch.full([2 * size for size in parameter.shape[::-1]], float("nan"), dtype=parameter.dtype)
    moved = moved[tuple(slice(0, None, 2) for _ in order)].permute(order)
    moved.copy_(parameter.detach())
    return nn.Parameter(moved)


@pytest.mark.parametrize("name", CELLS)
def test_parameters_may_lie_anywhere(name):
    for hidden in (2, 6, 18):
        layer = layer_of(name, 6, hidden, torch.float64)
        x, states = inputs_of(layer, 4, 3)
        values = run(layer, x, states)
        expected = [*values, *gradients(values, [x, *states, *layer.parameters()])]
        for key, parameter in list(layer.named_parameters()):
            setattr(layer, key, elsewhere(parameter))
            assert layer.get_parameter(key).stride() != parameter.stride() or parameter.dim() == 0
        values = run(layer, x, states)
        assert_equal([*values, *gradients(values, [x, *states, *layer.parameters()])], expected, name)


def negated(value):
    """The same numbers as a view whose memory holds their negatives: the imaginary part of a conjugate."""
    view = torch.imag(torch.complex(torch.zeros_like(value), -value.detach()).conj())
    assert view.is_neg()
    assert torch.equal(view, value)
    return view


@pytest.mark.parametrize("sizes", [(5, 7), (1, 1)])
def test_views_of_negatives(sizes):
    layer = LSTM(*sizes)
    x, h = torch.randn(4, 2, sizes[0]), torch.randn(1, 2, sizes[1])
    expected = layer(x, (h, h))[:1]
    assert_equal(layer(negated(x), (h, h))[:1], expected, "x")
    assert_equal(layer(x, (negated(h), h))[:1], expected, "state")
    weights = {name: negated(parameter) for name, parameter in layer.named_parameters()}
    assert_equal(torch.func.functional_call(layer, weights, (x, (h, h)))[:1], expected, "weights")
    arriving = torch.randn(4, 2, sizes[1])
    found = [torch.autograd.grad(layer(x)[0], layer.weight_hh_l0, g) for g in (arriving, negated(arriving))]
    assert_equal(found[0], found[1], "what arrives")


def test_packed_sequences_of_every_order():
    layer = layer_of("gru", 6, 18, torch.float64, bidirectional=True)
    rows = [torch.randn(length, 6, dtype=torch.float64) for length in (2, 5, 1, 5, 3)]
    output, last = layer(pack_sequence(rows, enforce_sorted=False))
    for number, piece in enumerate(recurra.nn.unpack_sequence(output)):
        alone, end = layer(rows[number].unsqueeze(1))
        assert_equal([piece, last[:, number]], [alone[:, 0], end[:, 0]])
