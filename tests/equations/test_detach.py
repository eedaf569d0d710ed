"""``detach``: the value stays, and no gradient passes."""

import pytest
import torch

import recurra
from recurra import cell, detach, heads, tanh
from recurra.nn import Recurrent


@cell
def plain(x, h, *, W, U, R, b):
    h = detach(h) * h + detach(x) @ detach(W) * (h @ U + detach(b)) + heads(x @ W, 2) @ detach(R)
    return tanh(h)


def loop(w, x):
    h = torch.zeros(2, 4, dtype=x.dtype)
    outputs = []
    for step in x:
        blocks = torch.einsum("bhk,hkc->bhc", (step @ w["W"]).unflatten(-1, (2, 2)), w["R"].detach()).flatten(-2)
        h = h.detach() * h + (step.detach() @ w["W"].detach()) * (h @ w["U"] + w["b"].detach()) + blocks
        h = torch.tanh(h)
        outputs.append(h)
    return torch.stack(outputs)


def gradients(output, leaves, **options):
    draw = torch.Generator().manual_seed(1)
    weights = torch.randn(output.shape, generator=draw, dtype=output.dtype)
    return torch.autograd.grad((output * weights).sum(), leaves, allow_unused=True, materialize_grads=True, **options)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_values_and_gradients_are_torchs(engine):
    torch.manual_seed(0)
    layer = Recurrent(plain, 3, 4, dtype=torch.float64)
    weights = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    leaves = [x, *weights.values()]
    expected = loop(weights, x)
    with recurra.engine(engine):
        output, _ = layer(x)
        found = gradients(output, leaves)
    assert torch.allclose(output, expected)
    assert all(torch.allclose(a, b) for a, b in zip(found, gradients(expected, leaves), strict=True))
    assert found[list(weights).index("b") + 1].abs().max() == 0


def test_gradients_of_gradients_stop_too():
    torch.manual_seed(0)
    layer = Recurrent(plain, 3, 4, dtype=torch.float64)
    weights = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)

    def second(output):
        first = torch.autograd.grad(output.square().sum(), [x, weights["U"]], create_graph=True)
        return torch.autograd.grad(sum(each.sin().sum() for each in first), [x, weights["W"], weights["U"]])

    for mine, other in zip(second(layer(x)[0]), second(loop(weights, x)), strict=True):
        assert torch.allclose(mine, other)
