"""Models whose cells have several inputs a step: calls, streams and chunks against the torch module."""

import numpy as np
import pytest
import torch
from torch import nn

import recurra
from recurra import exp, softplus, tanh
from recurra.errors import RecurraError
from recurra.nn import LSTM, Recurrent, RecurrentCell, Stack, pack_padded_sequence, pad_packed_sequence

F, H, T, B = 3, 5, 6, 2


@recurra.cell(inputs={"x": None, "dt": 1.0, "m": None}, sizes={"m": 2})
def decaying(x, dt, m, h, *, W, U, M, w, b):
    h = exp(-dt * softplus(w)) * h
    h = tanh(x @ W + m @ M + b + h @ U)
    return h


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0)
    return [draw.standard_normal((T, B, size)).astype(np.float32) for size in (F, 1, 2)]


def loaded(module, tmp_path):
    recurra.save(module, tmp_path / "model.safetensors")
    return recurra.runtime.load(tmp_path / "model.safetensors")


def expected(module, x, dt, m, **options):
    with torch.no_grad():
        output, _ = module(torch.from_numpy(x), dt=torch.from_numpy(dt), m=torch.from_numpy(m), **options)
    return output.numpy()


MODELS = {
    "a layer": lambda: Recurrent(decaying, F, H),
    "two layers": lambda: Recurrent(decaying, F, H, 2),
    "inside": lambda: Stack(nn.Linear(F, 4), LSTM(4, 4), Recurrent(decaying, 4, H), nn.Sequential(nn.Linear(H, 2))),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_calls_and_streams(make, tmp_path, arrays):
    x, dt, m = arrays
    module = make().eval()
    model = loaded(module, tmp_path)
    output, _ = model(x, dt=dt, m=m)
    np.testing.assert_allclose(output, expected(module, x, dt, m), rtol=0, atol=1e-6)
    assert np.array_equal(model(x, dt=dt[..., 0], m=m)[0], output)
    assert np.array_equal(model(x[:, 1], dt=dt[:, 1], m=m[:, 1])[0], output[:, 1])
    stream = model.stream(B)
    steps = [stream.step(x[0], dt=dt[0], m=m[0]), stream.step(x[1], dt=dt[1, :, 0], m=m[1])]
    assert np.array_equal([*steps, *stream.feed(x[2:], dt=dt[2:], m=m[2:])], output)
    one = model.stream()
    assert np.array_equal([one.step(*x[t, :1], dt=dt[t, 0, 0], m=m[t, 0]) for t in range(T)], output[:, 0])
    streams = model.streams()
    ids = streams.join(B)
    assert np.array_equal([streams.step(ids, x[t], dt=dt[t], m=m[t]) for t in range(T)], output)


def test_layouts_and_lengths(tmp_path, arrays):
    x, dt, m = arrays
    module = Recurrent(decaying, F, H, bidirectional=True, batch_first=True)
    model = loaded(module, tmp_path)
    x, dt, m = (each.swapaxes(0, 1) for each in arrays)
    lengths = np.array([6, 4])
    packed = pack_padded_sequence(torch.from_numpy(x), torch.from_numpy(lengths), batch_first=True)
    with torch.no_grad():
        output, _ = module(packed, dt=torch.from_numpy(dt), m=torch.from_numpy(m))
    padded, _ = pad_packed_sequence(output, batch_first=True)
    assert np.array_equal(model(x, lengths=lengths, dt=dt, m=m)[0], padded.numpy())


def test_cells_tokens_and_defaults(tmp_path, arrays):
    x, dt, m = arrays
    cell = RecurrentCell(decaying, F, H)
    model = loaded(cell, tmp_path)
    with torch.no_grad():
        h = cell(torch.from_numpy(x[0]), m=torch.from_numpy(m[0])).numpy()
    assert np.array_equal(model(x[0], dt=np.ones(B), m=m[0])[0], h)
    assert np.array_equal(model.stream(B).step(x[0], m=m[0]), h)
    module = Stack(nn.Embedding(9, F), Recurrent(decaying, F, H))
    model = loaded(module, tmp_path)
    tokens = np.arange(T * B).reshape(T, B) % 9
    output = expected(module, tokens, dt, m)
    assert np.array_equal(model(tokens, dt=dt, m=m)[0], output)
    stream = model.stream(B)
    assert np.array_equal([stream.step(tokens[t], dt=dt[t], m=m[t]) for t in range(T)], output)


def test_refusals(tmp_path, arrays):
    x, dt, m = arrays
    model = loaded(Recurrent(decaying, F, H), tmp_path)
    with pytest.raises(TypeError, match=r"the model needs the input m too: m= \(seq_len=6, batch=2, 2\)"):
        model(x, dt=dt)
    with pytest.raises(RecurraError, match=r"input dt must be \(seq_len=6, batch=2, 1\) or .*; got \(5, 2, 1\)"):
        model(x, dt=dt[1:], m=m)
    with pytest.raises(TypeError, match="no input 'q': beside the first one it has: dt, m"):
        model(x, m=m, q=1)
    with pytest.raises(TypeError, match="the input m must be numbers; got <U1"):
        model(x, m="a")
    stream = model.stream(B)
    with pytest.raises(TypeError, match=r"the model needs the input m too: m= \(batch=2, 2\)"):
        stream.step(x[0])
    with pytest.raises(ValueError, match=r"a step's input must be \(batch=2, input_size=3\); got \(1, 3\)"):
        stream.step(x[0, :1], m=m[0])
    with pytest.raises(TypeError, match="no input 'dt': it has one input alone"):
        loaded(LSTM(F, H), tmp_path).stream(B).step(x[0], dt=dt[0])
    with pytest.raises(TypeError, match="no cell of the Stack has an input 'q'"):
        Stack(LSTM(F, H))(torch.from_numpy(x), q=1)
