"""Residual: what goes in is added to what comes out, in torch, in files, in streams and in ONNX graphs."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import runtime
from recurra.errors import FileFormatError
from recurra.nn import GRU, LSTM, Conv1d, LastStep, Residual, Stack

LENGTHS = np.array([9, 4, 2])


@pytest.fixture
def made():
    torch.manual_seed(0)
    inner = Residual(GRU(6, 6), nn.Dropout(0.3))
    blocks = Residual(Conv1d(6, 6, 3, causal=True), nn.ReLU(), inner, nn.Linear(6, 6))
    after = Residual(nn.LayerNorm(6), nn.Linear(6, 6))
    return Stack(nn.Linear(4, 6), blocks, after, LSTM(6, 3), LastStep(), nn.Linear(3, 2)).eval()


@torch.no_grad()
def by_hand(made, x):
    first, blocks, after, *rest = made
    x = first(x)
    convolution, relu, inner, linear = blocks
    y = relu(convolution(x)[0])
    y = y + inner[0](y)[0]
    x = x + linear(y)
    x = x + after[1](after[0](x))
    return rest[2](rest[0](x)[0][-1])


@torch.no_grad()
def test_everywhere(made, tmp_path):
    x = torch.randn(9, 3, 4)
    expected = made(x)[0]
    torch.testing.assert_close(expected, by_hand(made, x))
    recurra.save(made, tmp_path / "m")
    loaded = recurra.load(tmp_path / "m").eval()
    assert torch.equal(loaded(x)[0], expected)
    assert type(loaded[1]) is Residual
    model = runtime.load(tmp_path / "m")
    output = model(x.numpy())[0]
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-6)
    stream, streams = model.stream(batch=3), model.streams()
    ids = streams.join(3)
    for now in x.numpy():
        so_far = stream.step(now)
        together = streams.step(ids, now)
    assert np.array_equal(so_far, output)
    assert np.array_equal(together, output)
    recurra.onnx.export(made, tmp_path / "m.onnx", lengths=True)
    session = ort.InferenceSession(tmp_path / "m.onnx")
    cut = session.run(None, {"x": x.numpy(), "lengths": LENGTHS})[0]
    np.testing.assert_allclose(cut, model(x.numpy(), lengths=LENGTHS)[0], rtol=0, atol=1e-6)


@torch.no_grad()
def test_packed_sequences_and_states(tmp_path):
    made = Residual(Conv1d(4, 4, 3), GRU(4, 4)).eval()
    x, state = torch.randn(9, 3, 4), (None, torch.randn(1, 3, 4))
    packed = pack_padded_sequence(x, torch.from_numpy(LENGTHS))
    output, (_, last) = made(packed, state)
    convolved, _ = made[0](packed)
    inner, own = made[1](convolved, state[1])
    torch.testing.assert_close(output.data, packed.data + inner.data)
    assert torch.equal(last, own)
    recurra.save(made, tmp_path / "m")
    padded = runtime.load(tmp_path / "m")(x.numpy(), lengths=LENGTHS)[0]
    whole, _ = made(pack_padded_sequence(x[:2, 2:], torch.tensor([2])))
    np.testing.assert_allclose(padded[:2, 2], whole.data, rtol=0, atol=1e-6)


def test_gradients_reach_both_ways():
    layer = Residual(nn.Linear(3, 3))
    x = torch.randn(2, 3, requires_grad=True)
    layer(x)[0].sum().backward()
    torch.testing.assert_close(x.grad, 1 + layer[0].weight.sum(0).expand(2, 3))


def test_sums_that_cannot_be(tmp_path):
    message = (
        r"Residual adds what goes in and what comes out, .* in \(2, 3\), out \(2, 4\); the last dimension is features"
    )
    with pytest.raises(ValueError, match=message):
        Residual(nn.Linear(3, 4))(torch.ones(2, 3))
    for wrong, message in (
        (Residual(nn.Linear(3, 4)), "the Residual around 0 takes 3 features and gives 4: a sum needs as many of both"),
        (Residual(nn.Dropout()), "a Residual has no part that computes"),
        (Stack(LSTM(3, 3), Residual(LastStep())), r"the Residual around 1.0 holds 1.0 \(LastStep\), whose output"),
        (Stack(Residual(nn.Embedding(3, 3)), LSTM(3, 3)), r"holds 0.0 \(Embedding\), whose output has not the form"),
    ):
        with pytest.raises(FileFormatError, match=message):
            recurra.save(wrong, tmp_path / "m")


def test_without_parts_there_is_nothing_to_add():
    empty = Residual()
    with pytest.raises(ValueError, match="Residual has no parts"):
        empty(torch.ones(2, 3, 4))
    empty.append(nn.Identity())
    assert empty(torch.ones(2, 3, 4))[0].eq(2).all()
