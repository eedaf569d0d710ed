"""``recurra.quantize``: who computes in int8, what holds, and how accurate it is."""

import copy
import pickle

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import EngineError
from recurra.nn import QuantizedLinear, Recurrent, Stack, quantize
from tests.nn.support import LAYERS


def errors(ours, exact):
    return float((ours.double() - exact).detach().abs().max())


class Tagger(torch.nn.Module):
    """Embeddings, an LSTM in both directions and labels of each step, as users write it with torch.nn."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(60, 24)
        self.lstm = torch.nn.LSTM(24, 32, batch_first=True, bidirectional=True)
        self.labels = torch.nn.Linear(64, 5)

    def forward(self, x):
        return self.labels(self.lstm(self.embed(x))[0])


@pytest.mark.parametrize("name", LAYERS)
def test_drop_ins_are_close_to_torch_in_float64(name):
    torch.manual_seed(0)
    ours = getattr(recurra.nn, name)(17, 40, num_layers=2, bidirectional=True)
    exact = getattr(torch.nn, name)(17, 40, num_layers=2, bidirectional=True, dtype=torch.float64)
    exact.load_state_dict(ours.state_dict())
    x = torch.randn(11, 9, 17)
    small = quantize(ours)
    with torch.no_grad():
        found = errors(small(x)[0], exact(x.double())[0])
    assert 1e-4 < found < 0.02
    assert errors(ours(x)[0], exact(x.double())[0]) < 1e-5, "the given module stays as it is"
    assert "compute='int8'" in repr(small)
    assert all(weight.requires_grad for weight in ours.parameters())


def test_a_module_of_torch_s_classes():
    torch.manual_seed(0)
    model, x = Tagger(), torch.randint(60, (7, 30))
    small = quantize(model)
    assert type(model.lstm) is torch.nn.LSTM
    assert type(model.labels) is torch.nn.Linear
    assert isinstance(small.lstm, torch.nn.LSTM)
    assert type(small.labels) is QuantizedLinear
    assert not small.training
    assert small.state_dict().keys() == model.state_dict().keys()
    with torch.no_grad():
        assert errors(small(x), model.double()(x)) < 0.02
        for other in (copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
            assert torch.equal(other(x), small(x))


def test_labels_of_a_trained_tagger_stay():
    """A token's label is the larger class of its two neighbours; there are 5,000 tokens."""
    torch.manual_seed(0)
    model = recurra.accelerate(Tagger())
    optimizer = torch.optim.Adam(model.parameters(), 0.01)

    def batch(count):
        x = torch.randint(60, (count, 25))
        group = x % 5
        return x, torch.maximum(torch.roll(group, 1, 1), torch.roll(group, -1, 1))

    for _ in range(150):
        x, wanted = batch(32)
        loss = torch.nn.functional.cross_entropy(model(x).flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, wanted = batch(200)
    with torch.no_grad():
        before, after = model(x).argmax(-1), quantize(model)(x).argmax(-1)
    assert (before == wanted).float().mean() > 0.8, "it has learnt"
    assert (before == after).float().mean() >= 0.999


@pytest.mark.parametrize("cell", ["lstm", "layer_norm_lstm", "min_gru", "peephole_lstm"])
def test_ways_of_calling_give_the_same_bits(cell):
    torch.manual_seed(1)
    layer = quantize(Recurrent(getattr(recurra.cells, cell), 7, 21))
    x, lengths = torch.randn(9, 6, 7), [9, 3, 1, 9, 5, 8]
    with torch.no_grad():
        whole = layer(x)[0]
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        padded, _ = torch.nn.utils.rnn.pad_packed_sequence(layer(packed)[0])
        state, steps = None, []
        for step in x.split(1):
            y, state = layer(step, state)
            steps.append(y)
        for b, length in enumerate(lengths):
            assert torch.equal(padded[:length, b], whole[:length, b])
            assert torch.equal(layer(x[:, b : b + 1])[0], whole[:, b : b + 1])
        assert torch.equal(torch.cat(steps), whole)


def test_a_file_computes_in_int8_wherever_it_is_loaded(tmp_path):
    torch.manual_seed(2)
    model = quantize(Stack(recurra.nn.GRU(9, 33), torch.nn.Linear(33, 4)))
    x = torch.randn(5, 3, 9)
    recurra.save(model, tmp_path / "m.safetensors")
    with torch.no_grad():
        wanted = model(x)[0]
        again = recurra.load(tmp_path / "m.safetensors")
        assert torch.equal(again(x)[0], wanted)
    loaded = recurra.runtime.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded(x.numpy())[0], wanted.numpy())
    stream = loaded.stream()
    np.testing.assert_array_equal([stream.step(row) for row in x[:, 0].numpy()], wanted[:, 0].numpy())


def test_gradients_are_refused():
    small = quantize(Stack(recurra.nn.LSTM(3, 4), torch.nn.Linear(4, 2)))
    x = torch.randn(5, 2, 3)
    assert not small(x)[0].requires_grad, "weights need no gradients"
    with pytest.raises(EngineError, match="int8, which has no gradients"):
        small(x.requires_grad_())
    with pytest.raises(EngineError, match="no gradients"):
        small[1](torch.randn(2, 4, requires_grad=True))
    with recurra.compute("int8"), pytest.raises(EngineError, match="no gradients"):
        recurra.nn.LSTM(3, 4)(torch.randn(5, 2, 3))


def test_wrong_modules_and_inputs_are_named():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module is needed; got list"):
        quantize([])
    with pytest.raises(ValueError, match="Tanh has no recurrent and no linear layer"):
        quantize(torch.nn.Tanh())
    with pytest.raises(ValueError, match=r"1 must be float32; it is torch\.float64"):
        quantize(torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(2, 2, dtype=torch.float64)))
    linear = quantize(torch.nn.Linear(3, 2))
    for wrong in (torch.ones(2, 4), torch.ones(2, 3).double(), torch.ones(())):
        with pytest.raises(ValueError, match="in_features=3"):
            linear(wrong)
    assert linear(torch.ones(0, 3)).shape == (0, 2)
    assert linear(torch.ones(3)).shape == (2,)
