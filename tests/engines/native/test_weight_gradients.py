"""Gradients of weights that are larger than the blocks in which native code adds up outer products."""

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
