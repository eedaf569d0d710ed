"""Messages of layers, cells and packing end with the address of the mistake, on every kind of module."""

import re

import pytest
import torch

import recurra
from recurra.mistakes import NAMES
from recurra.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, Recurrent, RecurrentCell, RNNCell, Stack, pack_padded_sequence

T, B, F, H, L = 10, 3, 5, 4, 2
X = torch.zeros(T, B, F)


def peephole(*sizes, **options):
    return Recurrent(recurra.cells.peephole_lstm, *sizes, **options)


def minimal(*sizes, **options):
    return Recurrent(recurra.cells.mgu, *sizes, **options)


ONE, TWO = (RNN, GRU, minimal), (LSTM, peephole)  # layers of one state, and of two
CELLS = (
    RNNCell,
    GRUCell,
    LSTMCell,
    lambda *sizes: RecurrentCell(recurra.cells.mgu, *sizes),
    lambda *sizes: RecurrentCell(recurra.cells.peephole_lstm, *sizes),
)


def states(made, h):
    return (h, h) if made in TWO else h


def mistake_of(error):
    """The mistake at the end of a message that names dimensions, types or devices."""
    found = re.fullmatch(r"(.+) \(recurra explain --mistake ([a-z0-9-]+)\)", str(error), re.S)
    assert found, f"no address ends the message: {error}"
    assert "recurra explain" not in found[1]
    assert found[2] in NAMES
    return found[2]


def refused(call, *arguments, **options):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as error:
        call(*arguments, **options)
    return mistake_of(error.value)


INPUTS = [
    ("features", {}, torch.zeros(T, B, 7), "input-features"),
    ("features, unbatched", {}, torch.zeros(T, 7), "input-features"),
    ("features in the middle", {}, torch.zeros(T, F, B), "features-not-last"),
    ("features in the middle, batch first", {"batch_first": True}, torch.zeros(B, F, T), "features-not-last"),
    ("rank 1", {}, torch.zeros(F), "input-dimensions"),
    ("rank 4", {}, torch.zeros(1, T, B, F), "input-dimensions"),
    ("float64", {}, X.double(), "another-dtype"),
    ("half", {}, X.half(), "another-dtype"),
    ("tokens", {}, X.long(), "tokens-without-embedding"),
    ("bools", {}, X.bool(), "tokens-without-embedding"),
    ("device", {}, X.to("meta"), "another-device"),
    ("no steps", {}, X[:0], "empty-sequences"),
    ("a layer's result", {}, (X, torch.zeros(1, B, H)), "output-tuple"),
    ("packed features", {}, pack_padded_sequence(torch.zeros(T, B, 7), [4, 3, 2]), "input-features"),
    ("packed rank", {}, pack_padded_sequence(torch.zeros(T, B, F, 2), [4, 3, 2]), "input-dimensions"),
]


@pytest.mark.parametrize("made", [*ONE, *TWO])
@pytest.mark.parametrize(("what", "options", "x", "name"), INPUTS, ids=[row[0] for row in INPUTS])
def test_inputs_of_layers(made, what, options, x, name):
    assert refused(made(F, H, L, **options), x) == name


@pytest.mark.parametrize("made", [*ONE, *TWO])
def test_values_of_one_feature(made):
    assert refused(made(1, H, batch_first=True), torch.zeros(B, T)) == "input-dimensions"


STATES = [
    ("rank 2", torch.zeros(B, H), X, "h0-shape"),
    ("rank 3, unbatched", torch.zeros(L, 1, H), X[:, 0], "h0-shape"),
    ("batch first", torch.zeros(B, L, H), X, "h0-shape"),
    ("layers", torch.zeros(1, B, H), X, "h0-shape"),
    ("features", torch.zeros(L, B, H + 1), X, "h0-shape"),
    ("no tensor", "zeros", X, "h0-shape"),
    ("batch", torch.zeros(L, 8, H), X, "smaller-last-batch"),
    ("batch of a packed input", torch.zeros(L, 8, H), pack_padded_sequence(X, [4, 3, 2]), "smaller-last-batch"),
    ("batch that is the number of steps", torch.zeros(L, T, H), X, "batch-and-time-swapped"),
    ("device", torch.zeros(L, B, H, device="meta"), X, "another-device"),
    ("dtype", torch.zeros(L, B, H).double(), X, "another-dtype"),
]


@pytest.mark.parametrize("made", [*ONE, *TWO])
@pytest.mark.parametrize(("what", "h", "x", "name"), STATES, ids=[row[0] for row in STATES])
def test_states_of_layers(made, what, h, x, name):
    assert refused(made(F, H, L), x, states(made, h)) == name


@pytest.mark.parametrize("made", [*ONE, *TWO])
def test_a_batch_first_layer_with_a_state_for_another_layout(made):
    assert refused(made(F, H, L, batch_first=True), X, states(made, torch.zeros(L, B, H))) == "batch-and-time-swapped"


@pytest.mark.parametrize("made", ONE)
def test_tuples_for_one_state(made):
    h = torch.zeros(L, B, H)
    assert refused(made(F, H, L), X, (h, h)) == "lstm-state-for-gru"
    assert refused(made(F, H, L), X, [h]) == "lstm-state-for-gru"


@pytest.mark.parametrize("made", TWO)
def test_one_tensor_for_two_states(made):
    h = torch.zeros(L, B, H)
    assert refused(made(F, H, L), X, h) == "lstm-state-for-gru"
    assert refused(made(F, H, L), X, (h,)) == "lstm-state-for-gru"


@pytest.mark.parametrize("made", CELLS)
def test_cells(made):
    cell, h = made(F, H), torch.zeros(B, H)
    two = len(cell.cell.states) == 2
    assert refused(cell, X) == "cell-for-layer"
    assert refused(cell, torch.zeros(())) == "input-dimensions"
    assert refused(cell, X[0, :, :3]) == "input-features"
    assert refused(cell, X[0].T.contiguous()) == "features-not-last"
    assert refused(cell, X[0].double()) == "another-dtype"
    assert refused(cell, X[0].long()) == "tokens-without-embedding"
    assert refused(cell, X[0].to("meta")) == "another-device"
    assert refused(cell, X[0], h if two else (h, h)) == "lstm-state-for-gru"
    for wrong, name in ((h[None], "h0-shape"), (h[:, :2], "h0-shape"), (h[:2], "smaller-last-batch")):
        assert refused(cell, X[0], (wrong, wrong) if two else wrong) == name


def test_packing():
    assert refused(pack_padded_sequence, X, [2, 3, 4]) == "lengths-not-sorted"
    assert refused(pack_padded_sequence, X, [2, 0, 0]) == "empty-sequences"
    assert refused(pack_padded_sequence, X, [0, 0, 0], allow_empty=True) == "empty-sequences"
    assert refused(pack_padded_sequence, X, [3] * T) == "batch-first-on-one-side"
    assert refused(pack_padded_sequence, X, [3] * B, batch_first=True) == "batch-first-on-one-side"


@pytest.mark.parametrize("made", [*ONE, *TWO])
@pytest.mark.parametrize("checkpoint", [None, 2])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}])
def test_a_graph_that_an_earlier_backward_pass_has_freed(made, checkpoint, options):
    layer = made(F, H, checkpoint=checkpoint, **options)
    output, state = layer(torch.randn(T, B, F))
    output.sum().backward()
    output, state = layer(torch.randn(T, B, F), state)
    with pytest.raises(RuntimeError, match="backward through the graph a second time") as error:
        output.sum().backward()
    assert mistake_of(error.value) == "states-not-detached"


def test_accelerated_modules_say_the_same():
    module = recurra.accelerate(torch.nn.LSTM(F, H))
    assert refused(module, X[..., :2]) == "input-features"
    assert refused(module, X, torch.zeros(1, B, H)) == "lstm-state-for-gru"


def test_models_without_torch_say_the_same(tmp_path):
    recurra.save(Stack(GRU(F, H)), tmp_path / "gru.safetensors")
    model = recurra.runtime.load(tmp_path / "gru.safetensors")
    assert refused(model, X.numpy()[..., :2]) == "input-features"
    assert refused(model, X.numpy()[0, 0]) == "input-dimensions"
    assert refused(model, X.numpy(), X.numpy()) == "h0-shape"
    assert refused(model, X.numpy(), (X.numpy(), X.numpy())) == "lstm-state-for-gru"
