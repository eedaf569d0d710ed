"""Models of layers that are put together in every way give the numbers of the modules, at once and step by step."""

import pickle

import numpy as np
import pytest
import torch
from torch.nn import Embedding
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from recurra import runtime
from recurra.errors import FileFormatError
from recurra.nn import EncoderDecoder, Recurrent, Stack
from tests.arrangements import ARRANGEMENTS, F, flat, make

T, B = 5, 3
LENGTHS = [3, 5, 0]
STEPPED = [name for name, (_, _, options) in ARRANGEMENTS.items() if not options.get("bidirectional")]


def pair(name, tmp_path, **options):
    """A module in evaluation mode, and the model of its file."""
    module = make(name, **{"dtype": torch.float32, **options}).eval()
    recurra.save(module, tmp_path / "model.safetensors")
    return module, runtime.load(tmp_path / "model.safetensors")


def arrays(value):
    return [tensor.detach().numpy() for tensor in flat(value)]


def numbers(value):
    """The arrays in a nested result."""
    return [value] if isinstance(value, np.ndarray) else [array for item in value for array in numbers(item)]


def same(mine, theirs):
    mine, theirs = numbers(mine), arrays(theirs)
    return len(mine) == len(theirs) and all(np.array_equal(one, two) for one, two in zip(mine, theirs, strict=True))


def nested(value):
    return tuple(map(nested, value)) if isinstance(value, tuple) else value.detach().numpy()


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_model(name, tmp_path):
    module, model = pair(name, tmp_path)
    torch.manual_seed(1)
    x = torch.randn(T, B, F)
    output, last = module(x)
    assert same(model(x.numpy()), (output, last))
    assert same(model(x.numpy(), nested(last)), module(x, last))
    assert same(model(x[:, 0].numpy()), module(x[:, 0]))
    firsts = {key: value for key, value in module.named_parameters() if "_0_l" in key}
    assert all(value.any() for value in firsts.values())
    output, last = model(x.numpy(), lengths=LENGTHS)
    packed = pack_padded_sequence(x[:, :2], LENGTHS[:2], enforce_sorted=False)
    theirs, ends = module(packed)
    assert np.array_equal(output[:, :2], pad_packed_sequence(theirs, total_length=T)[0].detach().numpy())
    assert not output[:, 2].any()
    for one, two in zip(numbers(last), arrays(ends), strict=True):
        assert np.array_equal(one[:, :2], two)
    for one, two in zip(numbers(last), numbers(model(x[:1].numpy(), lengths=[0, 0, 0])[1]), strict=True):
        assert np.array_equal(one[:, 2], two[:, 2])  # a sequence without steps ends where it begins


@pytest.mark.parametrize("name", STEPPED)
def test_streams(name, tmp_path):
    module, model = pair(name, tmp_path)
    x = torch.randn(T, B, F)
    output, last = module(x)
    x, output = x.numpy(), output.detach().numpy()
    stream = model.stream(B)
    assert all(np.array_equal(stream.step(x[t]), output[t]) for t in range(2))
    other = pickle.loads(pickle.dumps(stream))
    fed = model.stream(B)
    fed.feed(x[:2])
    fed.restore(stream.snapshot())
    for one in (stream, other, fed):
        assert all(np.array_equal(one.step(x[t]), output[t]) for t in range(2, T))
        assert same(one.state, last)
    assert np.array_equal(model.stream(B).feed(x), output)
    stream.reset([1])
    again = stream.step(x[0])
    assert np.array_equal(again[1], output[0, 1])
    assert not np.array_equal(again[[0, 2]], output[0, [0, 2]])
    stream.state = nested(last)
    assert same(stream.state, last)
    streams = model.streams()
    ids = streams.join(B)
    assert all(np.array_equal(streams.step(ids, x[t]), output[t]) for t in range(T))
    streams.leave(ids[:1])
    late = streams.join()
    assert np.array_equal(streams.step(late, x[0, :1]), output[0, :1])
    one = model.stream()
    assert all(np.array_equal(one.step(x[t, 0]), output[t, 0]) for t in range(T))


@pytest.mark.parametrize("name", ["learned", "residual but first", "sizes, both", "everything"])
def test_engines_agree(name, tmp_path):
    module, model = pair(name, tmp_path, dtype=torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64)
    with recurra.engine("reference"):
        mine = model(x.numpy())
        if not module.bidirectional:
            stream = model.stream(B)
    for one, two in zip(numbers(mine), arrays(module(x)), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-12)
    if not module.bidirectional:
        assert np.array_equal(np.stack([stream.step(x[t].numpy()) for t in range(T)]), mine[0])


def test_tokens_and_a_stack(tmp_path):
    torch.manual_seed(0)
    layer = Recurrent(recurra.cells.gru, 6, [6, 4], residual=True, learn_initial_state=True)
    other = Recurrent(recurra.cells.lstm, 4, 4, 2, learn_initial_state=True)
    with torch.no_grad():
        for weight in (layer.h_0_l0, layer.h_0_l1, other.c_0_l1):
            weight.normal_()
    module = Stack(Embedding(9, 6), layer, other).eval()
    recurra.save(module, tmp_path / "model.safetensors")
    model = runtime.load(tmp_path / "model.safetensors")
    tokens = torch.randint(0, 9, (T, B))
    output, last = module(tokens)
    assert same(model(tokens.numpy()), (output, last))
    stream = model.stream(B)
    assert np.array_equal(np.stack([stream.step(tokens[t].numpy()) for t in range(T)]), output.detach().numpy())
    assert same(stream.state, last)
    with pytest.raises(IndexError):
        stream.step([0, 1, 9])
    with pytest.raises(ValueError, match=r"must be \(batch=3\); got \(2,\)"):
        stream.step([0, 1])
    assert same(stream.state, last)
    states = model(tokens.numpy())[1]
    for wrong, text in [((states[0],), "one for each of 2"), ((states[0][:1], states[1]), r"\(h_l0, h_l1\); got 1")]:
        with pytest.raises(recurra.RecurraError, match=text):
            model(tokens.numpy(), wrong)


def test_both_directions_have_no_streams(tmp_path):
    _, model = pair("everything", tmp_path)
    with pytest.raises(recurra.RecurraError, match="bidirectional model cannot be stepped"):
        model.stream()


def test_an_encoder_and_its_decoder(tmp_path):
    torch.manual_seed(0)
    options = {"hidden_size": [5, 4], "learn_initial_state": True, "residual": True}
    module = EncoderDecoder(*(Recurrent(recurra.cells.lstm, size, **options) for size in (5, 5))).eval()
    recurra.save(module, tmp_path / "model.safetensors")
    loaded = recurra.load(tmp_path / "model.safetensors")
    past, future = torch.randn(T, B, 5), torch.randn(2, B, 5)
    assert torch.equal(loaded(past, future), module(past, future))
    module.decoder = Recurrent(recurra.cells.lstm, 5, [5, 3])
    with pytest.raises(FileFormatError, match="the states of its encoder"):
        recurra.save(module, tmp_path / "other.safetensors")
