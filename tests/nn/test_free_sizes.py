"""Layers whose cells have sizes of their own: against loops in plain torch, and by every way that a layer goes."""

import copy
import pickle

import numpy as np
import pytest
import torch

import recurra
from recurra import concat, sigmoid, tanh
from recurra.nn import Recurrent, RecurrentCell, pack_sequence
from tests.nn.support import assert_same, gradients

F, H, T, B = 5, 8, 6, 4


@recurra.cell
def bottleneck(x, h, *, D, b, W):
    d = tanh(x @ D + b)
    return tanh(concat(d, h) @ W)


@recurra.cell(output="y", sizes={"y": 7, "s": "hidden/2", "U": ("hidden", 3)})
def several(x, h, s, *, W, U, V, A, C, b):
    h = tanh(x @ W + h @ (U @ V))
    s = sigmoid(concat(s, x) @ A)
    y = concat(h, s) @ C + b
    return h, s


def weights(layer, suffix):
    return {
        name.removesuffix(suffix): value for name, value in layer.named_parameters() if name.endswith(suffix or name)
    }


def several_loop(w, x, h, s):
    outputs = []
    for step in x:
        h = torch.tanh(step @ w["W"] + h @ (w["U"] @ w["V"]))
        s = torch.sigmoid(torch.cat([s, step], -1) @ w["A"])
        outputs.append(torch.cat([h, s], -1) @ w["C"] + w["b"])
    return torch.stack(outputs), (h, s)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_layer_against_a_loop(engine):
    torch.manual_seed(0)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    layer = Recurrent(bottleneck, F, H, sizes={"d": 23}, dtype=torch.float64)
    assert {name: tuple(value.shape) for name, value in layer.named_parameters()} == {
        "D_l0": (F, 23),
        "b_l0": (23,),
        "W_l0": (23 + H, H),
    }
    h = torch.zeros(B, H, dtype=torch.float64)
    w, expected = weights(layer, "_l0"), []
    for step in x:
        h = torch.tanh(torch.cat([torch.tanh(step @ w["D"] + w["b"]), h], -1) @ w["W"])
        expected.append(h)
    with recurra.engine(engine):
        output, _ = layer(x)
    leaves = [x, *layer.parameters()]
    assert_same(output, torch.stack(expected))
    for mine, other in zip(gradients(output, leaves), gradients(torch.stack(expected), leaves), strict=True):
        assert_same(mine, other)


def test_an_output_of_its_own_size_stacked_and_in_both_directions():
    torch.manual_seed(0)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    layer = Recurrent(several, F, H, num_layers=2, bidirectional=True, sizes={"y": 9}, dtype=torch.float64)
    assert (layer.output_size, layer.state_sizes) == (18, (H, H // 2))
    assert layer.W_l1.shape == (18, H)
    states = [torch.randn(4, B, size, dtype=torch.float64) for size in layer.state_sizes]
    output, last = layer(x, tuple(states))
    y, finals = x, []
    for k in range(2):
        forward, ends = several_loop(weights(layer, f"_l{k}"), y, *(state[2 * k] for state in states))
        reverse = weights(layer, f"_l{k}_reverse")
        backward, back = several_loop(reverse, y.flip(0), *(state[2 * k + 1] for state in states))
        y = torch.cat([forward, backward.flip(0)], -1)
        finals += [ends, back]
    expected = (y, tuple(torch.stack(each) for each in zip(*finals, strict=True)))
    assert_same((output, last), expected)
    leaves = [x, *layer.parameters()]
    for mine, other in zip(gradients((output, last), leaves), gradients(expected, leaves), strict=True):
        assert_same(mine, other)


def test_packed_sequences():
    layer = Recurrent(several, F, H)
    sequences = [torch.randn(length, F) for length in (3, 6, 1)]
    output, last = layer(pack_sequence(sequences, enforce_sorted=False))
    assert output.data.shape == (10, 7)
    for number, sequence in enumerate(sequences):
        _, alone = layer(sequence)
        assert_same(tuple(state[:, number] for state in last), alone)


def test_files_streams_and_copies(tmp_path):
    layer = Recurrent(several, F, H, sizes={"s": 6})
    x = torch.randn(T, 1, F)
    output, _ = layer(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_same(other(x)[0], output)
        assert other.sizes == {"s": 6}
    path = tmp_path / "model.safetensors"
    recurra.save(layer, path)
    loaded = recurra.load(path)
    assert_same(loaded(x)[0], output)
    assert (loaded.output_size, loaded.state_sizes) == (7, (H, 6))
    stream = recurra.runtime.load(path).stream()
    steps = [stream.step(step.numpy()) for step in x[:, 0]]
    assert_same(torch.from_numpy(np.stack(steps)), output[:, 0])


def test_one_step():
    cell = RecurrentCell(several, F, H, sizes={"y": 2})
    x = torch.randn(B, F)
    (y, (h, s)) = cell(x)
    assert (y.shape, h.shape, s.shape) == ((B, 2), (B, H), (B, H // 2))
    layer = Recurrent(several, F, H, sizes={"y": 2})
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    assert_same(layer(x.unsqueeze(0))[0][0], y)


def test_the_sizes_are_shown_and_stay():
    layer = Recurrent(bottleneck, F, H, sizes={"d": "hidden/4"})
    assert repr(layer) == "Recurrent(bottleneck, 5, 8, sizes={'d': 'hidden/4'})"
    assert "(hidden/4)" in str(layer.program)
    with pytest.raises(AttributeError, match="sizes="):
        layer.sizes = {"d": 4}


def test_sizes_that_no_layer_can_have():
    with pytest.raises(recurra.EquationError, match=r"size hidden/4 is not a whole number for hidden=7"):
        Recurrent(bottleneck, F, 7, sizes={"d": "hidden/4"})
    with pytest.raises(recurra.EquationError, match=r"give the size: sizes=\{'d': n\}"):
        Recurrent(bottleneck, F, H)
    layer = Recurrent(bottleneck, F, H, sizes={"d": 3})
    with pytest.raises(recurra.EquationError, match="comes from a file, and has its sizes"):
        Recurrent(recurra.compiler.TracedCell(layer.program), F, H, sizes={"d": 4})
