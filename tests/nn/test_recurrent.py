"""A layer around any cell: against a loop in plain torch, and the built-in cells against their drop-ins."""

import pytest
import torch

import recurra
from recurra import sigmoid, tanh
from recurra.nn import Recurrent, RecurrentCell, pack_padded_sequence
from tests.nn.support import assert_same, gradients, ours, tensors, their_packing

F, H, T, B = 3, 4, 6, 5


@recurra.cell
def peephole(x, h, c, *, W_i, U_i, p_i, b_i, W_f, U_f, p_f, b_f, W_g, U_g, b_g, W_o, U_o, p_o, b_o):
    i = sigmoid(x @ W_i + h @ U_i + p_i * c + b_i)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    g = tanh(x @ W_g + h @ U_g + b_g)
    c = f * c + i * g
    o = sigmoid(x @ W_o + h @ U_o + p_o * c + b_o)
    h = o * tanh(c)
    return h, c


@recurra.cell
def minimal(x, h, *, W_f, U_f, b_f, W_h, U_h, b_h):
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    candidate = tanh(x @ W_h + (f * h) @ U_h + b_h)
    h = (1 - f) * h + f * candidate
    return h


def peephole_step(w, x, h, c):
    i = torch.sigmoid(x @ w["W_i"] + h @ w["U_i"] + w["p_i"] * c + w["b_i"])
    f = torch.sigmoid(x @ w["W_f"] + h @ w["U_f"] + w["p_f"] * c + w["b_f"])
    g = torch.tanh(x @ w["W_g"] + h @ w["U_g"] + w["b_g"])
    c = f * c + i * g
    o = torch.sigmoid(x @ w["W_o"] + h @ w["U_o"] + w["p_o"] * c + w["b_o"])
    return o * torch.tanh(c), c


def minimal_step(w, x, h):
    f = torch.sigmoid(x @ w["W_f"] + h @ w["U_f"] + w["b_f"])
    candidate = torch.tanh(x @ w["W_h"] + (f * h) @ w["U_h"] + w["b_h"])
    return ((1 - f) * h + f * candidate,)


CELLS = {"peephole": (peephole, peephole_step, 2), "minimal": (minimal, minimal_step, 1)}
PARAMETERS = {
    1: ["W_f", "U_f", "b_f", "W_h", "U_h", "b_h"],
    2: ["W_i", "U_i", "p_i", "b_i", "W_f", "U_f", "p_f", "b_f", "W_g", "U_g", "b_g", "W_o", "U_o", "p_o", "b_o"],
}
over_cells = pytest.mark.parametrize(("cell", "step", "states"), CELLS.values(), ids=CELLS)


def loop(layer, step, x, states):
    """All layers and directions, one step after the other."""
    directions, finals = 1 + layer.bidirectional, []
    for k in range(layer.num_layers):
        outputs = []
        for d in range(directions):
            suffix = f"_l{k}" + "_reverse" * d
            weights = {n.removesuffix(suffix): p for n, p in layer.named_parameters() if n.endswith(suffix)}
            state = [part[k * directions + d] for part in states]
            rows = [None] * len(x)
            for t in reversed(range(len(x))) if d else range(len(x)):
                state = list(step(weights, x[t], *state))
                rows[t] = state[0]
            outputs.append(torch.stack(rows))
            finals.append(state)
        x = torch.cat(outputs, -1)
    return x, [torch.stack(part) for part in zip(*finals, strict=True)]


@over_cells
@pytest.mark.parametrize("kwargs", [{}, {"num_layers": 2}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("given_state", [False, True])
def test_against_a_loop(cell, step, states, kwargs, given_state):
    torch.manual_seed(0)
    layer = ours.Recurrent(cell, F, H, **kwargs, dtype=torch.float64)
    rows = layer.num_layers * (1 + layer.bidirectional)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    make = torch.randn if given_state else torch.zeros
    start = [make(rows, B, H, dtype=torch.float64).requires_grad_() for _ in range(states)]
    state = (tuple(start) if states > 1 else start[0]) if given_state else None
    output, final = layer(x, state)
    expected, expected_final = loop(layer, step, x, start)
    assert isinstance(final, tuple if states > 1 else torch.Tensor)
    assert_same(output, expected)
    assert_same(tensors(final), expected_final)
    leaves = [x, *(start if given_state else []), *layer.parameters()]
    actual, wanted = gradients((output, final), leaves), gradients((expected, expected_final), leaves)
    assert_same(list(actual), list(wanted))


@over_cells
def test_forms_of_input(cell, step, states):
    torch.manual_seed(0)
    layer = ours.Recurrent(cell, F, H, bidirectional=True, dtype=torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64)
    output, final = layer(x)
    unbatched, unbatched_final = layer(x[:, 1])
    assert_same(unbatched, output[:, 1])
    assert_same(tensors(unbatched_final), [part[:, 1] for part in tensors(final)])
    lengths = [2, T, 1, 4, 3]
    packed, packed_final = layer(their_packing.pack_padded_sequence(x, lengths, enforce_sorted=False))
    for row, (mine, length) in enumerate(zip(their_packing.unpack_sequence(packed), lengths, strict=True)):
        alone, alone_final = layer(x[:length, row])
        assert_same(mine, alone)
        assert_same([part[:, row] for part in tensors(packed_final)], tensors(alone_final))
    layer.batch_first = True
    assert_same(layer(x.transpose(0, 1))[0], output.transpose(0, 1))


@over_cells
def test_parameters(cell, step, states):
    """Parameters are registered in the order of the arguments, under torch's scheme of names, and drawn as in torch."""
    torch.manual_seed(3)
    layer = ours.Recurrent(cell, F, H, num_layers=2, bidirectional=True)
    names = PARAMETERS[states]
    order = [name + suffix for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse") for name in names]
    assert [name for name, _ in layer.named_parameters()] == order
    shapes = {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()}
    assert shapes["W_f_l0"] == shapes["W_f_l0_reverse"] == (F, H)
    assert shapes["W_f_l1"] == (2 * H, H)
    assert shapes["U_f_l1"] == (H, H)
    assert shapes["b_f_l0"] == (H,)
    torch.manual_seed(3)
    for name, parameter in layer.named_parameters():
        assert torch.equal(parameter, torch.empty(shapes[name]).uniform_(-(H**-0.5), H**-0.5)), name


@over_cells
def test_one_step_at_a_time(cell, step, states):
    torch.manual_seed(0)
    layer, one = ours.Recurrent(cell, F, H, dtype=torch.float64), ours.RecurrentCell(cell, F, H, dtype=torch.float64)
    one.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x = torch.randn(T, B, F, dtype=torch.float64)
    output, final = layer(x)
    state = None
    for t in range(T):
        state = one(x[t], state)
        assert_same(tensors(state)[0], output[t])
    assert_same(tensors(state), [part[0] for part in tensors(final)])
    assert isinstance(state, tuple if states > 1 else torch.Tensor)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_built_in_cells_and_their_drop_ins_agree(name):
    kwargs = {"num_layers": 2, "bidirectional": True, "dtype": torch.float64}
    cell = getattr(recurra.cells, name.lower())
    torch.manual_seed(0)
    dropin = getattr(ours, name)(F, H, **kwargs)
    torch.manual_seed(0)
    layer = ours.Recurrent(cell, F, H, **kwargs)
    assert layer.state_dict().keys() == dropin.state_dict().keys()
    x = torch.randn(T, B, F, dtype=torch.float64)
    assert_same(layer(x), dropin(x))
    assert isinstance(dropin, ours.Recurrent)


def test_errors_name_the_layer():
    layer = ours.Recurrent(peephole, 100, 20)
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)(Recurrent|peephole).*input_size=100.*99"):
        layer(torch.zeros(3, 10, 99))
    with pytest.raises((RuntimeError, ValueError, TypeError), match=r"Recurrent|peephole"):
        layer(torch.zeros(3, 10, 100), torch.zeros(1, 10, 20))
    with pytest.raises((RuntimeError, ValueError, TypeError), match=r"Recurrent|peephole"):
        layer(torch.zeros(3, 10, 100), (torch.zeros(1, 10, 20), torch.zeros(1, 9, 20)))


def test_without_bias_what_is_only_added_is_dropped():
    layer = ours.Recurrent(peephole, F, H, bias=False)
    names = {name.removesuffix("_l0") for name, _ in layer.named_parameters()}
    assert names == {"W_i", "U_i", "p_i", "W_f", "U_f", "p_f", "W_g", "U_g", "W_o", "U_o", "p_o"}


def test_trace_has_the_names_of_the_equations():
    layer = ours.Recurrent(minimal, F, H, dtype=torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64)
    output, _, trace = layer(x, return_trace=True)
    assert {"f", "candidate", "h"} <= set(trace.names)
    assert_same(trace["h"], output)
    before = torch.cat([torch.zeros(1, B, H, dtype=torch.float64), output[:-1]])
    assert_same(output, (1 - trace["f"]) * before + trace["f"] * trace["candidate"])


@recurra.cell
def fading(x, h):
    return 0.9 * h + recurra.mean(x)


def test_a_cell_without_parameters():
    layer = Recurrent(fading, 3, 4)
    x = torch.randn(5, 2, 3)
    output, _ = layer(x)
    assert torch.equal(layer(pack_padded_sequence(x, [5, 5]))[0].data.reshape(5, 2, 4), output)
    assert torch.equal(layer(x, return_trace=True)[0], output)
    with pytest.raises(RuntimeError, match="the last dimension is 4"):
        layer(torch.randn(5, 2, 4))
    assert RecurrentCell(fading, 3, 4)(x[0]).shape == (2, 4)
    with pytest.raises(RuntimeError, match="the last dimension is 4"):
        RecurrentCell(fading, 3, 4)(torch.randn(2, 4))


@recurra.cell
def remembering(x, h, p, *, W):
    return tanh(x @ W + h + recurra.mean(p)), x


def test_a_state_of_another_size_is_called_by_its_own_name():
    with pytest.raises(RuntimeError, match=r"p_0 must be a tensor \(num_layers=1, batch=2, features=3\)"):
        Recurrent(remembering, 3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)))
    with pytest.raises(RuntimeError, match=r"p must be a tensor \(batch=2, features=3\)"):
        RecurrentCell(remembering, 3, 4)(torch.zeros(2, 3), (torch.zeros(2, 4), torch.zeros(2, 4)))
