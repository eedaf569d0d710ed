"""Gradients of each sample, as torch.nn.utils' call_for_per_sample_grads collects them."""

import copy

import pytest
import torch
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads

import recurra
from recurra import cells
from tests.nn.support import ours, theirs

LAYERS = {
    "LSTM": lambda: ours.LSTM(3, 4, 2, batch_first=True, bidirectional=True),
    "zoo": lambda: ours.Recurrent(cells.mgu, 3, 4, batch_first=True, zoneout=0.1).eval(),
    "cell": lambda: ours.GRUCell(3, 4),
    "accelerated": lambda: recurra.accelerate(theirs.LSTM(3, 4, batch_first=True)),
    "accelerated cell": lambda: recurra.accelerate(theirs.LSTMCell(3, 4)),
}


def output_of(result):
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("name", LAYERS)
def test_each_sample_has_its_own_gradient(name, reduction):
    module = LAYERS[name]()
    x = torch.randn(*((4, 3) if "cell" in name else (4, 5, 3)))
    output = output_of(call_for_per_sample_grads(module, batch_size=4, loss_reduction=reduction)(x))
    per_sample = (output**2).flatten(1).sum(1)
    (per_sample.sum() if reduction == "sum" else per_sample.mean()).backward()
    for number in range(4):
        alone = copy.deepcopy(module)
        (output_of(alone(x[number : number + 1])) ** 2).sum().backward()
        for weight, expected in zip(module.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(weight.grad_sample[number], expected.grad, rtol=1e-5, atol=1e-6)


class Packing(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, lengths):
        return self.layer(torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))[0].data


def test_packed_samples_have_torchs_gradients():
    layers = theirs.GRU(3, 4), ours.GRU(3, 4)
    layers[1].load_state_dict(layers[0].state_dict())
    x, lengths = torch.randn(5, 3, 3), torch.tensor([2, 5, 3])
    for layer in layers:
        (call_for_per_sample_grads(Packing(layer), batch_size=3)(x, lengths) ** 2).sum().backward()
    for own, expected in zip(layers[1].parameters(), layers[0].parameters(), strict=True):
        torch.testing.assert_close(own.grad_sample, expected.grad_sample, rtol=1e-5, atol=1e-6)
