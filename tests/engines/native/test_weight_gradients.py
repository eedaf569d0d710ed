"""Gradients of weights, and of first states, that are larger than the blocks that native code computes at once."""

import numpy as np
import pytest
import torch

import recurra


def gradients(layer, x):
    layer(x)[0].square().sum().backward()
    return [parameter.grad.numpy() for parameter in layer.parameters()]


@pytest.mark.parametrize(
    ("input_size", "hidden_size", "steps", "batch"),
    [(97, 33, 3, 40), (1, 129, 2, 33), (200, 65, 1, 1), (96, 32, 8, 4), (191, 70, 5, 31), (3, 257, 40, 1)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_beside_torch(input_size, hidden_size, steps, batch, dtype):
    torch.manual_seed(input_size)
    theirs = torch.nn.LSTM(input_size, hidden_size, dtype=torch.float64)
    ours = recurra.nn.LSTM(input_size, hidden_size, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(steps, batch, input_size, dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())  # rounded, if ours are
    x = x.to(dtype)
    for mine, right in zip(gradients(ours, x), gradients(theirs, x.double()), strict=True):
        scale = np.abs(right).max()
        np.testing.assert_allclose(mine, right, rtol=0, atol=scale * (2e-6 if dtype == torch.float32 else 1e-14))


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 33])
@pytest.mark.parametrize("hidden_size", [24, 70, 136])
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_wanted_states_change_no_bit(kind, hidden_size, batch):
    """The step that computes the first states' gradients is left out where nobody wants these."""
    torch.manual_seed(batch)
    ours, theirs = getattr(recurra.nn, kind)(19, hidden_size), getattr(torch.nn, kind)(19, hidden_size)
    theirs.load_state_dict(ours.state_dict())
    x, count = torch.randn(batch, 19), 2 if kind == "LSTMCell" else 1
    first = torch.randn(count, batch, hidden_size)

    def found(cell, dtype, wanted):
        states = [state.to(dtype, copy=True).requires_grad_(wanted) for state in first]
        result = cell.to(dtype)(x.to(dtype), states[0] if count == 1 else tuple(states))
        h = result if count == 1 else result[0]
        sources = [*cell.parameters(), *(states if wanted else ())]
        return torch.autograd.grad(h.square().sum(), sources)

    wanted, alone = found(ours, torch.float32, True), found(ours, torch.float32, False)
    for one, other in zip(wanted, alone, strict=False):
        assert torch.equal(one, other)
    for mine, right in zip(wanted, found(theirs, torch.float64, True), strict=True):
        torch.testing.assert_close(mine.double(), right, rtol=0, atol=2e-6 * right.abs().max().item())
