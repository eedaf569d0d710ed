"""Layers of all cells, their calls and gradients, for tests of results that must be equal to the last bit."""

from contextlib import contextmanager

import torch

from recurra.nn import Recurrent
from tests.cells.representatives import CELLS


@contextmanager
def threads(count):
    """A block in which torch, and so the native engine, use this number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def layer_of(name, input_size, hidden_size, dtype, **options):
    torch.manual_seed(1)
    return Recurrent(
        CELLS[name], hidden_size if name == "intersection" else input_size, hidden_size, dtype=dtype, **options
    )


def inputs_of(layer, steps, batch, seed=0):
    """x and the states; all of them require gradients."""
    draw = torch.Generator().manual_seed(seed)
    dtype, directions = next(layer.parameters()).dtype, 2 if layer.bidirectional else 1

    def leaf(*shape):
        return torch.randn(*shape, generator=draw, dtype=dtype).requires_grad_()

    rows = layer.num_layers * directions
    return leaf(steps, batch, layer.input_size), [leaf(rows, batch, size) for size in layer.state_sizes]


def run(layer, x, states, **options):
    """The output and the last states."""
    output, last, *_ = layer(x, tuple(states) if len(states) > 1 else states[0], **options)
    return [output, *(last if isinstance(last, tuple) else (last,))]


def weights_of(values, seed=3):
    """Random gradients that arrive at values."""
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(value.shape, generator=draw, dtype=value.dtype) for value in values]


def gradients(values, leaves, weights=None):
    weights = weights_of(values) if weights is None else weights
    return torch.autograd.grad(values, leaves, weights, allow_unused=True, materialize_grads=True)


def assert_equal(actual, expected, what=""):
    """Values are equal to the last bit; NaN equals NaN."""
    assert len(actual) == len(expected)
    for position, (mine, other) in enumerate(zip(actual, expected, strict=True)):
        assert mine.shape == other.shape
        assert torch.equal(mine.isnan(), other.isnan()), (what, position)
        mine, other = mine.nan_to_num(nan=0.0, posinf=None, neginf=None), other.nan_to_num(nan=0.0)
        worst = float((mine - other).detach().abs().max()) if mine.numel() else 0.0
        assert torch.equal(mine, other), f"{what}, number {position} of {len(actual)}: differs by up to {worst:.1e}"


def detached(tensors):
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]
