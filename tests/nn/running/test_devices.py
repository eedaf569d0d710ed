"""Engines on a device that is not the CPU: LSTM, GRU and RNN are one call of torch's fused layers there.

The device answers like a GPU's and computes on the CPU (``fake_device.py``).
"""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import recurra
from recurra import cell, sigmoid, tanh
from recurra.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, Recurrent, RNNCell
from tests.nn.fake_device import host, on_device, watched

FUSED = {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}


@cell
def somebodys_own(x, s, m, *, A_i, B_i, k_i, A_o, B_o, k_o, A_f, B_f, k_f, A_g, B_g, k_g):
    """An LSTM under other names, written gate by gate in another order."""
    out = sigmoid(k_o + s @ B_o + x @ A_o)
    into, keep = sigmoid(x @ A_i + s @ B_i + k_i), sigmoid(x @ A_f + s @ B_f + k_f)
    m = tanh(x @ A_g + s @ B_g + k_g) * into + m * keep
    s = tanh(m) * out
    return s, m


# A layer, its fused operation, and the number of its runs in a call.
LAYERS = {
    "LSTM": (lambda **o: LSTM(4, 6, **o), "lstm", 1),
    "LSTM, two layers, both directions": (lambda **o: LSTM(4, 6, 2, bidirectional=True, **o), "lstm", 1),
    "LSTM, dropout": (lambda **o: LSTM(4, 6, 3, dropout=0.5, **o), "lstm", 1),
    "GRU, batch_first": (lambda **o: GRU(4, 6, batch_first=True, **o), "gru", 1),
    "GRU, no bias": (lambda **o: GRU(4, 6, bias=False, **o), "gru", 1),
    "RNN": (lambda **o: RNN(4, 6, **o), "rnn_tanh", 1),
    "RNN, relu": (lambda **o: RNN(4, 6, nonlinearity="relu", **o), "rnn_relu", 1),
    "own equations": (lambda **o: Recurrent(somebodys_own, 4, 6, **o), "lstm", 1),
    "checkpoint": (lambda **o: GRU(4, 6, checkpoint=2, **o), "gru", 3),
}
CELLS = {"LSTMCell": (LSTMCell, "lstm_cell"), "GRUCell": (GRUCell, "gru_cell"), "RNNCell": (RNNCell, "rnn_tanh_cell")}
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def fused(seen):
    return [name for name in seen.operations if name in FUSED]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
def test_layers(name, dtype, packed, caplog):
    make, operation, count = LAYERS[name]
    layer = on_device(make(dtype=dtype))
    x = on_device(torch.randn(3, 5, 4) if layer.batch_first else torch.randn(5, 3, 4)).to(dtype)
    if packed:
        x = pack_padded_sequence(x, [5, 4, 2], layer.batch_first)
    with caplog.at_level("WARNING", "recurra"), watched() as seen:
        output, _ = layer(x)
        output = output.data if packed else output
        output.sum().backward()
    forward = fused(seen)[:count]
    assert [each.removesuffix("_cell") for each in forward] == [operation] * count  # a segment may be one step
    assert f"{operation}_backward" in seen.operations
    assert output.dtype == dtype
    assert seen.reads == []
    assert not caplog.records
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_single_steps(name, dtype):
    kind, operation = CELLS[name]
    module, x = on_device(kind(4, 6, dtype=dtype)), on_device(torch.randn(3, 4)).to(dtype)
    with watched() as seen:
        result = module(x)
        (result[0] if isinstance(result, tuple) else result).sum().backward()
    assert fused(seen) == [operation]
    assert seen.reads == []


SLOW = {
    "another cell": (lambda: Recurrent(recurra.cells.mgu, 4, 6), {}),
    "reset": (lambda: GRU(4, 6), {"reset": torch.zeros(5, 3, dtype=torch.bool)}),
    "trace": (lambda: GRU(4, 6), {"return_trace": True}),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_runs_step_by_step_says_so_once_for_each_module(name, caplog):
    make, options = SLOW[name]
    x = on_device(torch.randn(5, 3, 4))
    options = {key: on_device(value) if torch.is_tensor(value) else value for key, value in options.items()}
    with caplog.at_level("WARNING", "recurra"), watched() as seen:
        for layer in (on_device(make()), on_device(make())):
            for _ in range(3):
                layer(x, **options)[0].sum().backward()
    assert not fused(seen)
    assert seen.reads == []
    assert len(caplog.records) == 2
    assert "step by step in torch's operations on fake" in caplog.text


@pytest.mark.parametrize("name", LAYERS)
def test_numbers_and_gradients_are_those_of_the_cpu(name):
    layer = LAYERS[name][0](dtype=torch.float64).eval()
    moved, x = on_device(copy.deepcopy(layer)), torch.randn(3, 3, 4, dtype=torch.float64)
    found = []
    for module, value in ((layer, x), (moved, on_device(x))):
        value = value.detach().requires_grad_()
        output, last = module(value)
        last = last if isinstance(last, tuple) else (last,)
        loss = sum(each.sin().sum() for each in (output, *last))
        found.append(host([output, *last, *torch.autograd.grad(loss, [value, *module.parameters()])]))
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_dropout_draws_the_masks_that_torch_s_layer_draws(kind):
    ours, theirs = getattr(recurra.nn, kind)(4, 6, 3, dropout=0.5), getattr(nn, kind)(4, 6, 3, dropout=0.5)
    theirs.load_state_dict(ours.state_dict())
    x, found = on_device(torch.randn(5, 3, 4)), []
    for module in (on_device(ours), on_device(theirs)):
        torch.manual_seed(3)
        found.append(host(module(x)[0]))
    torch.testing.assert_close(*found)


def test_unsorted_packed_sequences():
    layer = GRU(4, 6)
    rows = [torch.randn(length, 4) for length in (2, 5, 3)]
    expected, last = layer(pack_sequence(rows, enforce_sorted=False))
    moved = on_device(copy.deepcopy(layer))
    packed = pack_sequence([on_device(row) for row in rows], enforce_sorted=False)
    with watched() as seen:
        output, end = moved(packed)
    assert seen.reads == []
    torch.testing.assert_close(host(output.data), expected.data)
    torch.testing.assert_close(host(end), last)


@pytest.mark.parametrize("name", ["LSTM", "GRU, batch_first", "own equations"])
def test_a_compiled_layer(name):
    layer = on_device(LAYERS[name][0]())
    x = on_device(torch.randn(5, 3, 4))
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    expected = host(layer(x)[0])
    with watched() as seen:
        output = compiled(x)[0]
        output.sum().backward()
    assert seen.count(LAYERS[name][1]) == 2  # once more in the backward pass: an operator cannot keep torch's state
    torch.testing.assert_close(host(output), expected)


def test_accelerated_models_run_torch_s_own_layers_there():
    model = recurra.accelerate(nn.Sequential(nn.LSTM(4, 6, 2)))
    moved, x = on_device(model), on_device(torch.randn(5, 3, 4))
    with watched() as seen:
        moved(x)[0].sum().backward()
    assert fused(seen) == ["lstm"]


def test_transforms_run_step_by_step(caplog):
    layer, x = on_device(GRU(4, 6)), on_device(torch.randn(2, 5, 3, 4))
    with caplog.at_level("WARNING", "recurra"), watched() as seen:
        output = torch.func.vmap(lambda one: layer(one)[0])(x)
    assert not fused(seen)
    assert "step by step" in caplog.text
    torch.testing.assert_close(host(output[1]), host(layer(x[1])[0]))


def test_a_compiled_loop_says_so_too(caplog):
    layer, x = on_device(Recurrent(recurra.cells.mgu, 4, 6)), on_device(torch.randn(5, 3, 4))
    with caplog.at_level("WARNING", "recurra"):
        torch.compile(layer, fullgraph=True, backend="aot_eager")(x)
    assert "step by step in torch's operations on fake" in caplog.text


def test_calls_under_autocast_are_fused_in_its_dtype():
    layer, x = on_device(GRU(4, 6)), on_device(torch.randn(5, 3, 4))
    with torch.autocast("fake", dtype=torch.bfloat16), watched() as seen:
        output, _ = layer(x)
    assert fused(seen) == ["gru"]
    assert output.dtype is torch.bfloat16


@pytest.mark.parametrize("engine", ["native", "reference", "torch"])
def test_engines_that_are_asked_for(engine, caplog):
    layer, x = on_device(LSTM(4, 6)), on_device(torch.randn(5, 3, 4))
    with caplog.at_level("WARNING", "recurra"), recurra.engine(engine), watched() as seen:
        if engine == "native":
            with pytest.raises(recurra.EngineError, match="on the CPU, not on fake"):
                layer(x)
            return
        layer(x)
    assert fused(seen) == (["lstm"] if engine == "torch" else [])
    assert not caplog.records  # whoever asks for the loop knows


def test_frozen_layers_and_half_precision_inputs_of_another_dtype():
    layer, x = on_device(GRU(4, 6)), on_device(torch.randn(5, 3, 4))
    with recurra.frozen(layer), torch.no_grad(), watched() as seen:
        layer(x)
    assert fused(seen) == ["gru"]
    with pytest.raises(ValueError, match="dtype"):
        layer(x.half())
