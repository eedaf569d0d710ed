"""Helpers for tests of layers: pairs of our module and torch's, gradients, and comparison within tolerances."""

import torch
from torch import nn as theirs
from torch.nn.utils import rnn as their_packing

from recurra import nn as ours

__all__ = [
    "CELLS",
    "LAYERS",
    "assert_same",
    "cell_input",
    "gradients",
    "ours",
    "pair",
    "tensors",
    "their_packing",
    "theirs",
]

LAYERS = ("RNN", "LSTM", "GRU")
CELLS = ("RNNCell", "LSTMCell", "GRUCell")

TOLERANCE = {
    torch.float64: {"rtol": 0.0, "atol": 1e-10},
    torch.float32: {"rtol": 1e-5, "atol": 2e-6},
}


def pair(name, *args, seed=0, **kwargs):
    """A module of ours and one of torch's with the same arguments and weights, loaded strictly both ways."""
    torch.manual_seed(seed)
    reference = getattr(theirs, name)(*args, **kwargs)
    module = getattr(ours, name)(*args, **kwargs)
    assert type(module) is not type(reference)
    module.load_state_dict(reference.state_dict(), strict=True)
    reference.load_state_dict(module.state_dict(), strict=True)
    return module, reference


def tensors(value):
    """The tensors inside an output, in order, through tuples and lists; the data of a packed sequence."""
    if value is None:
        return []
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, their_packing.PackedSequence):
        return [value.data]
    return [tensor for item in value for tensor in tensors(item)]


def assert_same(actual, expected, what=""):
    """Check that two results are equal in structure, shape and dtype, and close in value, by the dtype's tolerance."""
    if isinstance(expected, their_packing.PackedSequence):
        assert isinstance(actual, their_packing.PackedSequence), what
        assert torch.equal(actual.batch_sizes, expected.batch_sizes), what
        for mine, other in zip(actual[2:], expected[2:], strict=True):
            assert (mine is None) == (other is None), what
            assert mine is None or torch.equal(mine, other), what
        actual, expected = actual.data, expected.data
    if isinstance(expected, torch.Tensor):
        assert isinstance(actual, torch.Tensor), what
        torch.testing.assert_close(
            actual, expected, **TOLERANCE[expected.dtype], msg=lambda text: f"{what}: {text}" if what else text
        )
        return
    assert type(actual) is type(expected), what
    for position, (mine, other) in enumerate(zip(actual, expected, strict=True)):
        assert_same(mine, other, f"{what}[{position}]")


def gradients(result, leaves, seed=0):
    """Gradients of a weighted sum of everything in `result`, one per leaf; zeros where a leaf has no influence."""
    generator = torch.Generator().manual_seed(seed)
    loss = sum(
        (tensor * torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)).sum()
        for tensor in tensors(result)
    )
    return torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)


def cell_input(name, batch=3, input_size=5, hidden_size=4, dtype=torch.float32, seed=1):
    """An input and a state for a cell."""
    generator = torch.Generator().manual_seed(seed)
    x, h, c = (
        torch.randn(batch, size, generator=generator, dtype=dtype) for size in (input_size, hidden_size, hidden_size)
    )
    return x, ((h, c) if name == "LSTMCell" else h)
