"""`reset=`: the state is zero before the marked steps, as if the sequence were cut there."""

import pytest
import torch
from torch.func import functional_call

from tests.nn.support import LAYERS, assert_same, gradients, ours, tensors, their_packing, theirs

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

F, H, T, B = 3, 4, 7, 5
VARIANTS = [
    ("RNN", {}),
    ("LSTM", {}),
    ("GRU", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"num_layers": 2, "proj_size": 2, "bidirectional": True, "bias": False}),
    ("GRU", {"num_layers": 3, "bidirectional": True}),
    ("GRU", {"num_layers": 2, "batch_first": True}),
]
over_variants = pytest.mark.parametrize(("name", "kwargs"), VARIANTS, ids=str)


def make(name, kwargs):
    torch.manual_seed(0)
    return getattr(ours, name)(F, H, **kwargs, dtype=torch.float64)


def start_states(name, kwargs, batch):
    rows = (1 + kwargs.get("bidirectional", False)) * kwargs.get("num_layers", 1)
    sizes = [kwargs.get("proj_size", H), H] if name == "LSTM" else [H]
    return [torch.randn(rows, batch, size, dtype=torch.float64, requires_grad=True) for size in sizes]


def as_hx(name, states):
    return tuple(states) if name == "LSTM" else states[0]


def by_segments(name, kwargs, module, rows, states, resets):
    """The definition of resets: each row, layer and direction is cut before its marked steps, each piece runs in torch.

    `rows` holds (time, features) per batch row, `resets` the marks of each. Returns the output rows and the states.
    """
    weights = dict(module.named_parameters())
    ends = [[None] * len(rows) for _ in range(states[0].shape[0])]
    options = {key: value for key, value in kwargs.items() if key in ("nonlinearity", "bias", "proj_size")}
    for layer in range(kwargs.get("num_layers", 1)):
        new_rows = []
        for b, row in enumerate(rows):
            directions = []
            for direction in range(1 + kwargs.get("bidirectional", False)):
                single = getattr(theirs, name)(row.shape[-1], H, **options, dtype=torch.float64)
                suffix = "_reverse" * direction
                own = {key: weights[key[:-1] + str(layer) + suffix] for key, _ in single.named_parameters()}
                order = list(range(len(row)))[:: -1 if direction else 1]
                state = [part[2 * layer + direction if kwargs.get("bidirectional") else layer, b] for part in states]
                pieces = [[]]
                for t in order:
                    if resets[b][t]:
                        pieces.append([])
                    pieces[-1].append(t)
                outputs = {}
                for number, piece in enumerate(pieces):
                    if number:
                        state = [torch.zeros_like(part) for part in state]
                    if piece:
                        hx = as_hx(name, [part.unsqueeze(0) for part in state])
                        output, after = functional_call(single, own, (row[piece], hx))
                        state = [part.squeeze(0) for part in tensors(after)]
                        outputs.update(zip(piece, output, strict=True))
                directions.append(torch.stack([outputs[t] for t in range(len(row))]))
                ends[layer * (1 + kwargs.get("bidirectional", False)) + direction][b] = state
            new_rows.append(torch.cat(directions, -1))
        rows = new_rows
    finals = [torch.stack([torch.stack([end[part] for end in line]) for line in ends]) for part in range(len(states))]
    return rows, as_hx(name, finals)


def marks(kind):
    generator = torch.Generator().manual_seed(4)
    reset = torch.rand(T, B, generator=generator) < 0.3
    if kind == "none":
        reset[:] = False
    if kind == "all":
        reset[:] = True
    if kind == "first":
        reset[0] = True
        reset[-1] = False
    if kind == "last":
        reset[0] = False
        reset[-1] = True
    return reset


@over_variants
@pytest.mark.parametrize("kind", ["none", "random", "all", "first", "last"])
@pytest.mark.parametrize("given_state", [False, True])
def test_equal_to_running_the_segments_alone(name, kwargs, kind, given_state):
    module, reset = make(name, kwargs), marks(kind)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    states = start_states(name, kwargs, B)
    if not given_state:
        states = [torch.zeros_like(state, requires_grad=True) for state in states]
    placed = x.transpose(0, 1) if kwargs.get("batch_first") else x
    result = module(placed, as_hx(name, states) if given_state else None, reset=reset)
    rows, finals = by_segments(name, kwargs, module, list(x.unbind(1)), states, reset.T.tolist())
    expected = (torch.stack(rows, 0 if kwargs.get("batch_first") else 1), finals)
    assert_same(result, expected)
    leaves = [x, *(states if given_state else []), *module.parameters()]
    for grad, wanted in zip(gradients(result, leaves), gradients(expected, leaves), strict=True):
        assert_same(grad, wanted, "gradient")


@over_variants
@pytest.mark.parametrize("lengths", [[7, 6, 6, 3, 1], [2, 7, 1, 5, 7]], ids=["sorted", "unsorted"])
def test_packed(name, kwargs, lengths):
    """The marks are in the caller's order of rows, and beyond a row's end they mean nothing."""
    module, reset = make(name, kwargs), marks("random")
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    states = start_states(name, kwargs, B)
    enforce_sorted = lengths == sorted(lengths, reverse=True)
    pack = their_packing.pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
    output, finals = module(pack, as_hx(name, states), reset=reset)
    rows = [x[:length, b] for b, length in enumerate(lengths)]
    expected_rows, expected_finals = by_segments(name, kwargs, module, rows, states, reset.T.tolist())
    expected = their_packing.pack_sequence(expected_rows, enforce_sorted=enforce_sorted)
    assert_same((output, finals), (expected, expected_finals))
    leaves = [x, *states, *module.parameters()]
    wanted = gradients((expected, expected_finals), leaves)
    for grad, expected_grad in zip(gradients((output, finals), leaves), wanted, strict=True):
        assert_same(grad, expected_grad, "gradient")
    beyond = reset | (torch.arange(T)[:, None] >= torch.tensor(lengths))
    assert_same(module(pack, as_hx(name, states), reset=beyond), (output, finals))


@over_variants
def test_unbatched(name, kwargs):
    module, reset = make(name, kwargs), marks("random")[:, 0]
    x, states = torch.randn(T, F, dtype=torch.float64), start_states(name, kwargs, 1)
    output, finals = module(x, as_hx(name, [state[:, 0] for state in states]), reset=reset)
    rows, expected = by_segments(name, kwargs, module, [x], states, [reset.tolist()])
    assert_same(output, rows[0])
    for mine, wanted in zip(tensors(finals), tensors(expected), strict=True):
        assert_same(mine, wanted[:, 0])


@pytest.mark.parametrize("name", LAYERS)
def test_no_marks_and_none_are_the_same(name):
    module = make(name, {"num_layers": 2, "bidirectional": True})
    x = torch.randn(T, B, F, dtype=torch.float64)
    assert_same(module(x, reset=torch.zeros(T, B, dtype=torch.bool)), module(x))
    assert_same(module(x, reset=None), module(x))


@pytest.mark.parametrize("name", LAYERS)
def test_a_view_of_marks_is_accepted_and_left_alone(name):
    module, reset = make(name, {}), marks("random")
    x = torch.randn(T, B, F, dtype=torch.float64)
    view = reset.T.contiguous().T
    before = view.clone()
    assert_same(module(x, reset=view), module(x, reset=reset))
    assert torch.equal(view, before)


BAD = [
    (lambda: torch.zeros(T, B), (TypeError, ValueError), "bool"),
    (lambda: torch.zeros(T, B, dtype=torch.int64), (TypeError, ValueError), "bool"),
    (lambda: [[False] * B] * T, (TypeError, ValueError), "bool|tensor"),
    (lambda: True, (TypeError, ValueError), "bool|tensor"),
    (lambda: torch.zeros(B, T, dtype=torch.bool), (ValueError, RuntimeError), "(?i)swap|transpos"),
    (lambda: torch.zeros(T, dtype=torch.bool), (ValueError, RuntimeError), "batch"),
    (lambda: torch.zeros(T, B, 1, dtype=torch.bool), (ValueError, RuntimeError), "batch"),
    (lambda: torch.zeros(T + 1, B, dtype=torch.bool), (ValueError, RuntimeError), rf"(?s)\b{T}\b.*\b{T + 1}\b"),
    (lambda: torch.zeros(T, 1, dtype=torch.bool), (ValueError, RuntimeError), "batch"),
]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(("bad", "error", "match"), BAD)
def test_bad_marks(name, batch_first, bad, error, match):
    module = make(name, {"batch_first": batch_first})
    x = torch.randn(*((B, T) if batch_first else (T, B)), F, dtype=torch.float64)
    with pytest.raises(error, match=match) as refused:
        module(x, reset=bad())
    assert "reset" in str(refused.value)


def test_bad_marks_of_an_unbatched_or_packed_input():
    with pytest.raises((ValueError, RuntimeError), match="reset"):
        make("GRU", {})(torch.randn(T, F, dtype=torch.float64), reset=torch.zeros(T, B, dtype=torch.bool))
    pack = their_packing.pack_sequence([torch.randn(n, F, dtype=torch.float64) for n in (5, 3)])
    with pytest.raises((ValueError, RuntimeError), match="reset"):
        make("GRU", {})(pack, reset=torch.zeros(4, 2, dtype=torch.bool))
