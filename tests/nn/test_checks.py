"""Bad input to a layer or a cell: torch's type of exception, and a message that names the dimensions."""

import re

import numpy as np
import pytest
import torch

from tests.nn.support import CELLS, LAYERS, assert_same, ours, pair, their_packing, theirs

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

CLEAN = (TypeError, ValueError, RuntimeError)
T, B, F, H, L = 10, 3, 100, 20, 2  # time, batch, input_size, hidden_size, num_layers
SWAPPED = r"swap|transpos|exchang"


def zeros(*shape, **options):
    return torch.zeros(shape, **options)


BATCH_FIRST = {"batch_first": True}
X = zeros(T, B, F)
STATE = zeros(L, B, H)


def packed(features=F, lengths=(5, 3, 2)):
    return their_packing.pack_padded_sequence(zeros(max(lengths), len(lengths), features), list(lengths))


PACKED_3D = their_packing.PackedSequence(zeros(6, 2, F), torch.tensor([3, 2, 1]))


def states(name, h, c=None):
    """The state argument of a class: (h, c) for an LSTM, h for the others."""
    return (h, h if c is None else c) if name.startswith("LSTM") else h


def assert_mentions(message, phrases):
    """Check that a message has these words in any case, and numbers as whole numbers."""
    for phrase in phrases:
        if isinstance(phrase, int):
            pattern = rf"(?<![\d.]){phrase}(?![\d])"
        else:
            states_name = rf"\b{phrase}x?(_?0)?\b"  # h, h0, h_0, hx
            pattern = phrase if phrase == SWAPPED else states_name if phrase in ("h", "c") else re.escape(phrase)
        assert re.search(pattern, message, re.IGNORECASE), f"{phrase!r} is not in: {message}"


def assert_refused_alike(module, reference, x, hx, phrases):
    """Check for torch's type of exception if that type means a wrong argument, else for any type that does."""
    with pytest.raises(Exception) as expected:  # noqa: PT011, whatever torch raises
        reference(x, hx)
    with pytest.raises(expected.type if issubclass(expected.type, CLEAN) else CLEAN) as refused:
        module(x, hx)
    assert_mentions(str(refused.value), phrases)


# case, constructor's keywords, input, state (h of every class, or None), phrases beside the class's name
SHAPES = [
    ("features", {}, zeros(T, B, 99), None, ["input_size", "batch_first", "last dimension", F, 99, T, B]),
    ("features, batch_first", BATCH_FIRST, zeros(B, T, 99), None, ["input_size", "batch_first", F, 99]),
    ("features, unbatched", {}, zeros(T, 99), None, ["input_size", F, 99]),
    ("features and time swapped", {}, zeros(F, B, T), None, ["input_size", F, T, SWAPPED]),
    ("features and batch swapped", {}, zeros(T, F, B), None, ["input_size", F, B, SWAPPED]),
    ("features and time swapped, unbatched", {}, zeros(F, T), None, ["input_size", F, T, SWAPPED]),
    ("rank 1", {}, zeros(F), None, ["input_size", F]),
    ("rank 4", {}, zeros(1, T, B, F), None, ["input_size", "batch", F, T, B]),
    ("rank 0", {}, torch.tensor(1.0), None, ["input_size"]),
    ("float64 input", {}, X.double(), None, ["float64", "float32"]),
    ("integer input", {}, X.long(), None, ["int64", "float32"]),
    ("float32 input to float64", {"dtype": torch.float64}, X, None, ["float64", "float32"]),
    ("no time steps", {}, zeros(0, B, F), None, ["seq"]),
    ("no time steps, batch_first", BATCH_FIRST, zeros(B, 0, F), None, ["seq"]),
    ("no time steps, unbatched", {}, zeros(0, F), None, ["seq"]),
    ("2-D state, batched", {}, X, zeros(L, H), ["num_layers", "batch", "hidden_size", L, B, H]),
    ("3-D state, unbatched", {}, X[:, 0], zeros(L, 1, H), ["num_layers", "hidden_size", L, H]),
    ("state of 4-D", {}, X, zeros(1, L, B, H), ["batch", "hidden_size", L, B, H]),
    ("state's batch", {}, X, zeros(L, 4, H), ["batch", "hidden_size", B, 4, H]),
    ("state's size", {}, X, zeros(L, B, 21), ["hidden_size", H, 21]),
    ("state's layers", {}, X, zeros(1, B, H), ["num_layers", L, 1]),
    ("state's directions", {"bidirectional": True}, X, STATE, ["num_layers", 2 * L, L]),
    ("state with the batch first", {}, X, zeros(B, L, H), ["num_layers", "batch", B, L, H, SWAPPED]),
    ("batch-first state of batch_first", BATCH_FIRST, zeros(B, T, F), zeros(B, L, H), ["batch", B, L, SWAPPED]),
    ("state of a packed input: batch", {}, packed(), zeros(L, 4, H), ["batch", B, 4]),
    ("state of a packed input: size", {}, packed(), zeros(L, B, 21), ["hidden_size", H, 21]),
    ("packed features", {}, packed(99), None, ["input_size", F, 99]),
    ("packed data of 3-D", {}, PACKED_3D, None, ["input_size"]),
]  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("what", "kwargs", "x", "h", "phrases"), SHAPES, ids=[row[0] for row in SHAPES])
def test_shapes_and_dtypes(name, what, kwargs, x, h, phrases):
    module, reference = (getattr(nn, name)(F, H, L, **kwargs) for nn in (ours, theirs))
    hx = None if h is None else states(name, h)
    assert_refused_alike(module, reference, x, hx, [name, *phrases])


def test_the_message_of_the_documentation():
    with pytest.raises(RuntimeError) as refused:
        ours.LSTM(100, 20)(zeros(3, 10, 99))
    assert_mentions(
        str(refused.value),
        [
            "LSTM input must be (seq_len, batch, input_size=100) because batch_first=False; got (3, 10, 99)",
            "dimension is 99",
        ],
    )


CELL_STATE = [
    ("c of another batch", STATE, zeros(L, 4, H), {}, ["c", B, 4]),
    ("c of another size", STATE, zeros(L, B, 21), {}, ["c", H, 21]),
    ("h of another size, c right", zeros(L, B, 21), STATE, {}, ["h", H, 21]),
    ("c of 2-D", STATE, zeros(L, H), {}, ["c"]),
    ("h not projected", STATE, STATE, {"proj_size": 7}, ["proj_size", 7, H]),
    ("c projected too", zeros(L, B, 7), zeros(L, B, 7), {"proj_size": 7}, ["hidden_size", 7, H]),
]


@pytest.mark.parametrize("pack", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize(("what", "h", "c", "kwargs", "phrases"), CELL_STATE, ids=[row[0] for row in CELL_STATE])
def test_lstm_states(what, h, c, kwargs, phrases, pack):
    module, reference = (nn.LSTM(F, H, L, **kwargs) for nn in (ours, theirs))
    x = packed() if pack else X
    assert_refused_alike(module, reference, x, (h, c), ["LSTM", *phrases])


WRONG_TYPES = [
    ("RNN", X, (STATE,), ["tensor", "tuple"]),
    ("RNN", X, (STATE, STATE), ["tensor", "tuple"]),
    ("GRU", X, (STATE, STATE), ["tensor", "tuple"]),
    ("GRU", X, [STATE], ["tensor", "list"]),
    ("GRU", packed(), (STATE, STATE), ["tensor", "tuple"]),
    ("GRU", X, np.zeros((L, B, H), dtype=np.float32), ["ndarray"]),
    ("GRU", X, "zeros", ["str"]),
    ("GRU", X, 0, ["int"]),
    ("LSTM", X, STATE, ["h", "c"]),
    ("LSTM", X[:, 0], STATE[:, 0], ["h", "c"]),
    ("LSTM", packed(), STATE, ["h", "c"]),
    ("LSTM", X, torch.stack([STATE, STATE]), ["h", "c"]),
    ("LSTM", X, (STATE,), ["h", "c", 1]),
    ("LSTM", X, (STATE, STATE, STATE), ["h", "c", 3]),
    ("LSTM", packed(), (STATE, STATE, STATE), ["h", "c", 3]),
    ("LSTM", X, (), ["h", "c", 0]),
    ("LSTM", X, (STATE, None), ["c", "None"]),
    ("LSTM", X, (None, STATE), ["h", "None"]),
    ("LSTM", X, {"h": STATE, "c": STATE}, ["dict"]),
    ("LSTM", X, ((STATE, STATE), STATE), ["tuple"]),
    ("RNN", X.tolist(), None, ["tensor", "list"]),
    ("GRU", X.numpy(), None, ["tensor", "ndarray"]),
    ("LSTM", None, None, ["tensor", "None"]),
    ("LSTM", (X, (STATE, STATE)), None, ["tensor", "tuple"]),
]


@pytest.mark.parametrize(("name", "x", "hx", "phrases"), WRONG_TYPES)
def test_types(name, x, hx, phrases):
    """torch answers with an IndexError, an AttributeError or a list of overloads."""
    with pytest.raises(CLEAN) as refused:
        getattr(ours, name)(F, H, L)(x, hx)
    assert_mentions(str(refused.value), [name, *phrases])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("x", [X, packed()], ids=["padded", "packed"])
def test_state_of_another_dtype(name, x):
    with pytest.raises(CLEAN) as refused:
        getattr(ours, name)(F, H, L)(x, states(name, STATE.double()))
    assert_mentions(str(refused.value), [name, "float64", "float32"])


@pytest.mark.parametrize("name", LAYERS)
def test_state_or_weights_on_another_device(name):
    with pytest.raises(CLEAN) as refused:
        getattr(ours, name)(F, H, L)(X, states(name, STATE.to("meta")))
    assert_mentions(str(refused.value), [name, "meta", "cpu"])
    with pytest.raises(CLEAN) as refused:
        getattr(ours, name)(F, H, L, device="meta")(X)
    assert_mentions(str(refused.value), [name, "meta", "cpu"])


def test_a_list_of_two_states_is_accepted():
    module, reference = pair("LSTM", F, H, L)
    x, h, c = torch.randn(T, B, F), torch.randn(L, B, H), torch.randn(L, B, H)
    actual = module(x, [h, c])
    assert isinstance(actual[1], tuple)
    assert_same(actual, reference(x, [h, c]))


@pytest.mark.parametrize("name", LAYERS)
def test_an_error_leaves_the_module_usable(name):
    module, reference = pair(name, F, H, L)
    with pytest.raises(RuntimeError):
        module(zeros(T, B, 99))
    x = torch.randn(T, B, F)
    assert_same(module(x), reference(x))


# case, input, h (None: no state), phrases; for cells of input_size 5 and hidden_size 4
CELL_SHAPES = [
    ("rank 0", torch.tensor(1.0), None, ["input_size", 5]),
    ("rank 3", zeros(2, 3, 5), None, ["input_size", 5]),
    ("features", zeros(2, 7), None, ["input_size", 5, 7]),
    ("features, unbatched", zeros(7), None, ["input_size", 5, 7]),
    ("swapped", zeros(5, 2), None, ["input_size", 5, 2, SWAPPED]),
    ("3-D state", zeros(2, 5), zeros(1, 2, 4), ["batch", "hidden_size", 4]),
    ("state's batch", zeros(2, 5), zeros(3, 4), ["batch", 2, 3]),
    ("state's size", zeros(2, 5), zeros(2, 6), ["hidden_size", 4, 6]),
    ("state's size, unbatched", zeros(5), zeros(6), ["hidden_size", 4, 6]),
]


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("what", "x", "h", "phrases"), CELL_SHAPES, ids=[row[0] for row in CELL_SHAPES])
def test_cells(name, what, x, h, phrases):
    module, reference = (getattr(nn, name)(5, 4) for nn in (ours, theirs))
    hx = None if h is None else states(name, h)
    assert_refused_alike(module, reference, x, hx, [name, *phrases])


CELLS_ANYHOW = [
    ("RNNCell", zeros(2, 5), (zeros(2, 4), zeros(2, 4))),
    ("GRUCell", zeros(2, 5), (zeros(2, 4),)),
    ("GRUCell", zeros(2, 5), zeros(2, 4).double()),
    ("GRUCell", zeros(2, 5).double(), None),
    ("RNNCell", zeros(2, 5).long(), None),
    ("RNNCell", zeros(2, 5).double(), zeros(2, 4).double()),
    ("LSTMCell", zeros(2, 5).double(), None),
    ("LSTMCell", zeros(2, 5), (zeros(2, 4).double(), zeros(2, 4))),
    ("LSTMCell", zeros(2, 5), zeros(2, 4)),
    ("LSTMCell", zeros(2, 5), (zeros(2, 4),)),
    ("LSTMCell", zeros(2, 5), (zeros(2, 4), zeros(2, 4), zeros(2, 4))),
    ("LSTMCell", zeros(2, 5), (zeros(2, 4), None)),
    ("LSTMCell", zeros(2, 5), (zeros(2, 4), zeros(3, 4))),
    ("LSTMCell", zeros(2, 5), (zeros(2, 4), zeros(2, 6))),
    ("LSTMCell", zeros(2, 5), (zeros(2, 4), zeros(4))),
    ("LSTMCell", zeros(2, 5), (zeros(4), zeros(4))),
    ("GRUCell", zeros(2, 5), zeros(4)),
    ("RNNCell", zeros(5), zeros(1, 4)),
    ("GRUCell", zeros(5), zeros(3, 4)),
    ("GRUCell", zeros(2, 5), zeros(2, 4, device="meta")),
    ("LSTMCell", zeros(2, 5).numpy(), None),
    ("LSTMCell", packed(5), None),
    # these crash torch's process
    ("LSTMCell", zeros(5), (zeros(3, 4), zeros(3, 4))),
    ("LSTMCell", zeros(5), (zeros(1, 4), zeros(1, 4))),
    ("LSTMCell", zeros(5), zeros(2, 3, 4)),
]


@pytest.mark.parametrize(("name", "x", "hx"), CELLS_ANYHOW)
def test_cells_never_crash(name, x, hx):
    with pytest.raises(CLEAN) as refused:
        getattr(ours, name)(5, 4)(x, hx)
    assert_mentions(str(refused.value), [name])
