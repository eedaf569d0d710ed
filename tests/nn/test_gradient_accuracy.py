"""Rounding errors of float32 gradients beside torch.nn's, both against float64."""

import pytest
import torch

from recurra import nn

# Steps, sequences, input features, hidden features, layers, directions, and the number of draws to average over.
SHAPES = {
    "small": (30, 16, 5, 16, 2, 2, 20),
    "training": (100, 32, 28, 128, 1, 1, 3),
    "one sequence": (200, 1, 64, 64, 1, 1, 5),
    "large": (20, 80, 64, 256, 1, 1, 2),
}


def gradients(module, x, given):
    """The gradients of the parameters and x, as float64."""
    x = x.clone().requires_grad_()
    module(x)[0].backward(given)
    found = {name: parameter.grad for name, parameter in module.named_parameters()}
    return {name: value.double() for name, value in (found | {"x": x.grad}).items()}


def squared_errors(found, exact):
    """The sum of squares for each kind of parameter, of all layers and directions together."""
    sums = {}
    for name, value in exact.items():
        kind = name.split("_l")[0]
        sums[kind] = sums.get(kind, 0.0) + float((found[name] - value).square().sum())
    return sums


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_as_accurate_as_torch(kind, shape):
    steps, batch, inputs, hidden, layers, directions, draws = SHAPES[shape]
    ratios = {}
    for seed in range(draws):
        torch.manual_seed(seed)
        settings = (inputs, hidden, layers)
        theirs = getattr(torch.nn, kind)(*settings, bidirectional=directions == 2)
        ours = getattr(nn, kind)(*settings, bidirectional=directions == 2)
        exact = getattr(torch.nn, kind)(*settings, bidirectional=directions == 2).double()
        ours.load_state_dict(theirs.state_dict())
        exact.load_state_dict(theirs.state_dict())
        x, given = torch.randn(steps, batch, inputs), torch.randn(steps, batch, directions * hidden)
        numbers = gradients(exact, x.double(), given.double())
        errors = [squared_errors(gradients(module, x, given), numbers) for module in (ours, theirs)]
        for name, error in errors[0].items():
            ratios.setdefault(name, []).append((error / errors[1][name]) ** 0.5)
    means = {name: sum(values) / len(values) for name, values in ratios.items()}
    assert max(means.values()) <= 1.1, means
