"""Cells with several inputs a step, such as elapsed time and a mask: against a loop in plain torch."""

import copy

import pytest
import torch

import recurra
from recurra import exp, tanh
from recurra.nn import Recurrent, RecurrentCell, WeightDrop, pack_padded_sequence
from tests.nn.support import assert_same, gradients

F, H, T, B = 3, 5, 6, 4


@recurra.cell(inputs={"x": None, "dt": 1.0, "m": None}, sizes={"m": 2})
def decaying(x, dt, m, h, *, W, U, M, w, b):
    z = x @ W + m @ M + b
    h = exp(-dt * w) * h
    h = tanh(z + h @ U)
    return h


def loop(layer, x, dt, m, h, suffix="_l0"):
    w = {name.removesuffix(suffix): value for name, value in layer.named_parameters() if name.endswith(suffix)}
    outputs = []
    for step, elapsed, mask in zip(x, dt, m, strict=True):
        h = torch.exp(-elapsed * w["w"]) * h
        h = torch.tanh(step @ w["W"] + mask @ w["M"] + w["b"] + h @ w["U"])
        outputs.append(h)
    return torch.stack(outputs)


@pytest.fixture
def given():
    torch.manual_seed(0)
    return [torch.randn(T, B, size, dtype=torch.float64, requires_grad=True) for size in (F, 1, 2)]


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_layer_against_a_loop(engine, given):
    x, dt, m = given
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    assert layer.W_l0.shape == (F, H)
    h = torch.randn(1, B, H, dtype=torch.float64)
    with recurra.engine(engine):
        output, _ = layer(x, h, dt=dt, m=m)
    expected = loop(layer, x, dt, m, h[0])
    assert_same(output, expected)
    leaves = [*given, *layer.parameters()]
    for mine, other in zip(gradients(output, leaves), gradients(expected, leaves), strict=True):
        assert_same(mine, other)


def test_every_layer_and_direction_gets_them(given):
    x, dt, m = given
    layer = Recurrent(decaying, F, H, num_layers=2, bidirectional=True, dtype=torch.float64)
    assert layer.W_l1.shape == (2 * H, H)
    zeros = torch.zeros(B, H, dtype=torch.float64)
    y = x
    for k in range(2):
        forward = loop(layer, y, dt, m, zeros, f"_l{k}")
        backward = loop(layer, y.flip(0), dt.flip(0), m.flip(0), zeros, f"_l{k}_reverse").flip(0)
        y = torch.cat([forward, backward], -1)
    output, _ = layer(x, dt=dt, m=m)
    assert_same(output, y)
    leaves = [*given, *layer.parameters()]
    for mine, other in zip(gradients(output, leaves), gradients(y, leaves), strict=True):
        assert_same(mine, other)


def test_layouts(given):
    x, dt, m = given
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    output, _ = layer(x, dt=dt, m=m)
    assert_same(layer(x, dt=dt.squeeze(-1), m=m)[0], output)
    assert_same(layer(x[:, 1], dt=dt[:, 1], m=m[:, 1])[0], output[:, 1])
    assert_same(layer(x[:, 1], dt=dt[:, 1, 0], m=m[:, 1])[0], output[:, 1])
    layer.batch_first = True
    swapped = layer(x.transpose(0, 1), dt=dt.squeeze(-1).T, m=m.transpose(0, 1))[0]
    assert_same(swapped.transpose(0, 1), output)


def test_defaults_and_masks_of_bools(given):
    x, dt, m = given
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    bools = m > 0
    assert_same(layer(x, m=bools), layer(x, dt=torch.ones_like(dt), m=bools.double()))


@pytest.mark.parametrize("batch_first", [False, True])
def test_packed(given, batch_first):
    lengths = torch.tensor([3, 6, 1, 4])
    layer = Recurrent(decaying, F, H, bidirectional=True, batch_first=batch_first, dtype=torch.float64)
    x, dt, m = (each.transpose(0, 1) if batch_first else each for each in given)

    def pack(value):
        return pack_padded_sequence(value, lengths, batch_first=batch_first, enforce_sorted=False)

    output, last = layer(pack(x), dt=pack(dt), m=pack(m))
    assert_same(layer(pack(x), dt=dt, m=m), (output, last))
    for number, length in enumerate(lengths):
        _, alone = layer(given[0][:length, number], dt=given[1][:length, number], m=given[2][:length, number])
        assert_same(last[:, number], alone)
    with pytest.raises(RuntimeError, match="input dt must be packed as the first input is"):
        layer(pack(x), dt=pack_padded_sequence(dt, lengths.flip(0), batch_first, enforce_sorted=False), m=m)


def test_reset(given):
    x, dt, m = given
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    output, _ = layer(x, reset=reset, dt=dt, m=m)
    assert_same(output[3:], layer(x[3:], dt=dt[3:], m=m[3:])[0])


def test_one_step(given):
    x, dt, m = (each[0] for each in given)
    cell = RecurrentCell(decaying, F, H, dtype=torch.float64)
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    expected = layer(x.unsqueeze(0), dt=dt.unsqueeze(0), m=m.unsqueeze(0))[0][0]
    assert_same(cell(x, dt=dt, m=m), expected)
    assert_same(cell(x, dt=dt.squeeze(-1), m=m), expected)
    assert_same(cell(x[1], dt=dt[1, 0], m=m[1]), expected[1])
    with pytest.raises(TypeError, match=r"RecurrentCell needs the input m too: m= \(batch=4, 2\)"):
        cell(x, dt=dt)


def test_copies_and_traces(given):
    x, dt, m = (each.detach() for each in given)
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    output, _, trace = layer(x, dt=dt, m=m, return_trace=True)
    assert_same(trace["dt", 0, 0].squeeze(-1), dt.squeeze(-1))
    assert_same(trace["x", 0, 0], x)
    assert_same(copy.deepcopy(layer)(x, dt=dt, m=m)[0], output)
    dropped = WeightDrop(decaying, F, H, weight_drop=0.5, dtype=torch.float64).eval()
    dropped.load_state_dict(layer.state_dict())
    assert_same(dropped(x, dt=dt, m=m)[0], output)


@pytest.mark.slow
def test_compiled(given):
    x, dt, m = (each.detach() for each in given)
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert_same(compiled(x, dt=dt, m=m), layer(x, dt=dt, m=m))


def test_refusals(given):
    x, dt, m = given
    layer = Recurrent(decaying, F, H, dtype=torch.float64)
    for inputs, error, message in [
        ({"dt": dt}, TypeError, r"Recurrent needs the input m too: m= \(seq_len=6, batch=4, 2\)"),
        ({"m": m, "q": 1}, TypeError, "unexpected input 'q': the inputs of its cell beside the first are: dt, m"),
        ({"m": m[1:]}, RuntimeError, r"input m must be \(seq_len=6, batch=4, 2\); got \(5, 4, 2\)"),
        ({"m": m, "dt": dt[:, 1:]}, RuntimeError, r"input dt must be \(seq_len=6, batch=4, 1\) or .*; got \(6, 3, 1\)"),
        ({"m": m, "dt": 0.1}, TypeError, "got a float"),
        ({"m": m.float()}, RuntimeError, "of the first input's dtype torch.float64; it has torch.float32"),
    ]:
        with pytest.raises(error, match=message):
            layer(x, **inputs)
    with pytest.raises(TypeError, match="unexpected input 'dt': its cell has one input alone"):
        Recurrent(recurra.cells.mgu, F, H)(x.float(), dt=dt)
    with pytest.raises(recurra.EquationError, match="the size of input m follows the first input's"):
        Recurrent(decaying, F, H, 2, sizes={"m": "input"})
