"""``gates``: the numbers of a plain loop, its gradients, and the choice of a sequence."""

import numpy as np
import pytest
import torch
from torch import nn

import recurra
from recurra import look
from tests.cells.representatives import ZOO
from tests.look.seeing.loops import LOOPS, stacked

T, B, F, H = 7, 3, 4, 5


def layer_of(kind, **options):
    torch.manual_seed(0)
    return getattr(nn, kind)(F, H, **options)


@pytest.fixture
def x():
    return torch.randn(T, B, F, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("is_accelerated", [False, True])
def test_the_numbers_of_a_plain_loop(kind, is_accelerated, x):
    layer = layer_of(kind, num_layers=2, bidirectional=True)
    expected, below = {}, x[:, 1]
    for level in range(2):
        both = [LOOPS[kind](layer, below, level, reverse) for reverse in (False, True)]
        expected.update(
            {(name, level, way): values for way, found in enumerate(both) for name, values in found.items()}
        )
        below = torch.cat([torch.stack(found["h"]) for found in both], -1)
    gates = look.gates(recurra.accelerate(layer) if is_accelerated else layer, x, sequence=1)
    for place, values in expected.items():
        np.testing.assert_allclose(gates[place], stacked(values), atol=1e-6)
    assert set(gates.names) >= {name for name, *_ in expected}
    assert gates.steps == T
    assert gates.labels == tuple("0123456")


@pytest.mark.parametrize("kind", LOOPS)
def test_the_gradients_of_autograd(kind, x):
    layer = layer_of(kind)
    found = LOOPS[kind](layer, x[:, 2])
    output = torch.stack(found["h"])
    weights = torch.randn(T, H)
    loss = (output * weights).square().sum()
    gates = look.gates(layer, x, sequence=2, loss=lambda output: (output * weights).square().sum())
    for name, values in found.items():
        expected = torch.autograd.grad(loss, values, retain_graph=True)
        np.testing.assert_allclose(gates.gradients[name], stacked(list(expected)), atol=1e-5, rtol=1e-5)
    plain = look.gates(layer, x, sequence=2, gradients=True)
    expected = torch.autograd.grad(output[-1].sum(), found["h"], retain_graph=True)
    np.testing.assert_allclose(plain.gradients["h"], stacked(list(expected)), atol=1e-6)
    assert len(look.gates(layer, x).gradients) == 0


@pytest.mark.parametrize("name", ZOO)
def test_every_cell_has_the_numbers_of_its_trace(name, x):
    torch.manual_seed(0)
    layer = recurra.nn.Recurrent(ZOO[name], F, F, num_layers=2, dtype=torch.float64)
    trace = layer(x.double(), return_trace=True)[2]
    gates = look.gates(layer, x.double(), gradients=True, sequence=1)
    for place, values in trace.items():
        np.testing.assert_allclose(gates[place], values[:, 1].detach().numpy(), atol=1e-12)
    assert gates.states == tuple(state.name for state in layer.program.states)
    assert gates.gradients[gates.states[0], 1].shape == (T, F)
    assert set(gates.states) <= set(gates.shown)


def test_packed_batch_first_unbatched_and_states(x):
    layer = layer_of("LSTM", batch_first=True)
    lengths, batch = [3, 7, 5], x.transpose(0, 1)
    packed = nn.utils.rnn.pack_padded_sequence(batch, lengths, batch_first=True, enforce_sorted=False)
    state = (torch.randn(1, B, H), torch.randn(1, B, H))
    for number, length in enumerate(lengths):
        alone = look.gates(layer, batch[number, :length], tuple(each[:, number] for each in state))
        for other in (
            look.gates(layer, packed, state, sequence=number),
            look.gates(layer, batch, state, sequence=number),
        ):
            np.testing.assert_allclose(other["c"][:length], alone["c"], atol=1e-6)
        assert look.gates(layer, packed, sequence=number).steps == length


def test_resets_begin_anew(x):
    layer = recurra.nn.LSTM(F, H)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[4, 0] = True
    gates = look.gates(layer, x, reset=reset)
    np.testing.assert_allclose(gates["h"][4:], look.gates(layer, x[4:])["h"], atol=1e-6)


class Model(nn.Module):
    """Embedding, two recurrent parts, output; in training there is dropout."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, F)
        self.first = nn.LSTM(F, H, batch_first=True)
        self.second = recurra.nn.GRU(H, H, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(H, 9)

    def forward(self, tokens):
        return self.output(self.dropout(self.second(self.first(self.embedding(tokens))[0])[0]))


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_gradients_where_the_caller_has_turned_them_off(off, x):
    layer = layer_of("GRU")
    expected = look.gates(layer, x, gradients=True).gradients["h"]
    assert np.abs(expected).max() > 0
    with off():
        np.testing.assert_array_equal(look.gates(layer, x.clone(), gradients=True).gradients["h"], expected)
        if off is torch.no_grad:
            seen = look.gates(nn.Sequential(layer), x, loss=lambda result: result[0][-1, 0].sum())
            np.testing.assert_array_equal(seen.gradients["h"], expected)


def test_a_batch_without_sequences():
    with pytest.raises(ValueError, match="the batch has no sequences"):
        look.gates(nn.GRU(3, 4), torch.zeros(5, 0, 3))


def test_a_layer_inside_of_a_model():
    torch.manual_seed(0)
    model, tokens = Model(), torch.arange(12).reshape(2, 6) % 9
    gates = look.gates(model, tokens, part="first", sequence=1, loss=lambda logits: logits[1, -1].square().sum())
    assert model.training
    model.eval()
    found = LOOPS["LSTM"](model.first, model.embedding(tokens[1]))
    hidden = model.second(torch.stack(found["h"])[None])[0]
    loss = model.output(hidden)[0, -1].square().sum()
    np.testing.assert_allclose(gates["c"], stacked(found["c"]), atol=1e-6)
    expected = torch.autograd.grad(loss, found["c"])
    np.testing.assert_allclose(gates.gradients["c"], stacked(list(expected)), atol=1e-6)
    with pytest.raises(ValueError, match=r"first, second: choose one with part="):
        look.gates(model, tokens)
    with pytest.raises(ValueError, match="all its arguments as a tuple"):
        look.gates(model, tokens, torch.zeros(1))


def test_the_terminal_shows_it(x):
    layer = layer_of("LSTM")
    text = str(look.gates(layer, x, labels="abcdefg"))
    assert "LSTM(4, 5): 7 steps" in text
    assert "from a to g" in text
    assert any(shade in text for shade in "░▒▓")
    assert max(map(len, text.splitlines())) <= 120
    deep = str(look.gates(layer_of("LSTM", num_layers=4, bidirectional=True), x))
    assert len(deep.splitlines()) < 120


def test_saturated_and_dead_units():
    layer = layer_of("LSTM")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0[:H] = torch.tensor([-9.0, 9.0, 0.0, 0.0, 0.0])  # the input gate: closed, open, half open
        layer.bias_ih_l0[2 * H] = 9.0  # the candidate of unit 0
    used = {each.name: each for each in look.gates(layer, torch.randn(T, F)).saturation}
    np.testing.assert_array_equal(used["i"].low, [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(used["i"].high, [0, 1, 0, 0, 0])
    np.testing.assert_array_equal(used["g"].saturated, [True, False, False, False, False])
    assert used["f"].dead.all()
    assert not used["c"].can_saturate
    np.testing.assert_array_equal(used["c"].dead, [False, True, True, True, True])
    assert not look.gates(layer, torch.randn(1, F)).saturation[0].dead.any()


def test_what_is_refused(x):
    layer = layer_of("GRU")
    with pytest.raises(TypeError, match="not Linear"):
        look.gates(nn.Linear(1, 2), x)
    with pytest.raises(IndexError, match="3 sequences, from 0 to 2; got sequence=3"):
        look.gates(layer, x, sequence=3)
    with pytest.raises(ValueError, match="input_size=4; got 9"):
        look.gates(layer, torch.zeros(T, B, 9))
    with pytest.raises(ValueError, match="no steps"):
        look.gates(layer, x[:0])
    with pytest.raises(ValueError, match="each of the 7 steps; got 2"):
        look.gates(layer, x, labels="ab")
    with pytest.raises(ValueError, match="one number"):
        look.gates(layer, x, loss=lambda output: output)
    with pytest.raises(ValueError, match="does not depend"):
        look.gates(layer, x, loss=lambda output: torch.zeros(()))
    gates = look.gates(layer, x)
    with pytest.raises(KeyError, match="no variable 'f' in the gates; there are: "):
        gates["f"]
    with pytest.raises(KeyError, match="layer from 0 to 0"):
        gates["r", 1]
