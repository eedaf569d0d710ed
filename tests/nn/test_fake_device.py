"""The device that tests use in place of a GPU, tested with torch's own layers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from tests.nn.fake_device import host, on_device, watched

LAYERS = [
    ("lstm", nn.LSTM(4, 6, num_layers=2, bidirectional=True)),
    ("lstm", nn.LSTM(4, 6, proj_size=3)),
    ("gru", nn.GRU(4, 6)),
    ("rnn_tanh", nn.RNN(4, 6, bias=False)),
    ("rnn_relu", nn.RNN(4, 6, nonlinearity="relu")),
]


@pytest.mark.parametrize(("name", "layer"), LAYERS, ids=lambda value: str(value).replace(" ", ""))
@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_layer_of_torch_is_one_operation(name, layer, packed):
    moved, x = on_device(copy.deepcopy(layer)), torch.randn(5, 3, 4)
    there = on_device(x)
    if packed:
        x, there = (pack_padded_sequence(value, [5, 4, 2]) for value in (x, there))
    with watched() as seen:
        output, _ = moved(there)
        output = output.data if packed else output
        output.sum().backward()
    assert seen.count(name) == seen.count(f"{name}_backward") == 1
    assert not {"mm", "addmm", "matmul"} & set(seen.operations)
    assert seen.reads == []
    expected, _ = layer(x)
    expected = expected.data if packed else expected
    gradients = torch.autograd.grad(expected.sum(), list(layer.parameters()))
    assert output.device.type == "fake"
    torch.testing.assert_close(host(output), expected)
    for parameter, gradient in zip(moved.parameters(), gradients, strict=True):
        assert type(parameter) is nn.Parameter
        torch.testing.assert_close(host(parameter.grad), gradient)


def test_a_loop_in_python_is_many_operations():
    cell, x = on_device(nn.Linear(6, 6)), on_device(torch.randn(9, 3, 6))
    with watched() as seen:
        h = x.new_zeros(3, 6)
        for row in x:
            h = torch.tanh(row + cell(h))
    assert seen.count("addmm") == seen.count("tanh") == 9
    assert seen.reads == []


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: x.cpu(),
        lambda x: x.tolist(),
        lambda x: bool((x > 0).all()),
        lambda x: x[x > 0],
        lambda x: torch.equal(x, x),
        lambda x: repr(x),
    ],
)
def test_what_waits_for_the_device_is_seen(read):
    x = on_device(torch.randn(3, 4))
    with watched() as seen:
        read(x)
    assert seen.reads


def test_tensors_share_memory_as_views_do():
    x = on_device(torch.zeros(3, 4))
    x[:, 1].add_(1)
    x.t()[2].fill_(5)
    assert host(x).tolist() == [[0, 1, 5, 0]] * 3


def test_devices_do_not_mix():
    with pytest.raises(RuntimeError, match="same device"):
        on_device(torch.ones(2)) + torch.ones(2)


def test_training():
    torch.manual_seed(0)
    layer = nn.LSTM(4, 6)
    moved, x = on_device(copy.deepcopy(layer)), torch.randn(5, 3, 4)
    for module, values in ((layer, x), (moved, on_device(x))):
        optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            module(values)[0].square().mean().backward()
            optimizer.step()
    for mine, other in zip(moved.state_dict().values(), layer.state_dict().values(), strict=True):
        torch.testing.assert_close(host(mine), other)
