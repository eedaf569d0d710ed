"""`return_trace=True`: every gate of every step, under the names of the equations."""

import pytest
import torch
from torch.nn import functional

import recurra
from tests.nn.support import LAYERS, assert_same, ours, tensors, their_packing

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

F, H, T, B = 3, 4, 6, 5
NAMES = {"RNN": {"h"}, "LSTM": {"i", "f", "g", "o", "c", "h"}, "GRU": {"r", "z", "n", "h"}}
VARIANTS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("LSTM", {}),
    ("LSTM", {"bias": False, "num_layers": 2}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 2}),
    ("GRU", {}),
    ("GRU", {"num_layers": 3, "bidirectional": True}),
]
over_variants = pytest.mark.parametrize(("name", "kwargs"), VARIANTS, ids=str)


def make(name, kwargs):
    torch.manual_seed(0)
    return getattr(ours, name)(F, H, **kwargs, dtype=torch.float64)


def places(kwargs):
    directions = 1 + kwargs.get("bidirectional", False)
    return [(layer, direction) for layer in range(kwargs.get("num_layers", 1)) for direction in range(directions)]


def gates(name, module, layer, direction, x, before):
    """The gates of all steps by hand, from the layer's input and the states before each step."""
    suffix = f"_l{layer}" + "_reverse" * direction
    weights = {key: getattr(module, key + suffix, None) for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    a = functional.linear(x, weights["weight_ih"], weights["bias_ih"])
    b = functional.linear(before["h"], weights["weight_hh"], weights["bias_hh"])
    if name == "RNN":
        return {"h": (a + b).tanh() if module.nonlinearity == "tanh" else (a + b).relu()}
    if name == "GRU":
        (a_r, a_z, a_n), (b_r, b_z, b_n) = a.chunk(3, -1), b.chunk(3, -1)
        r, z = (a_r + b_r).sigmoid(), (a_z + b_z).sigmoid()
        n = (a_n + r * b_n).tanh()
        return {"r": r, "z": z, "n": n, "h": n + z * (before["h"] - n)}
    i, f, g, o = (a + b).chunk(4, -1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * before["c"] + i * g
    h = o * c.tanh()
    if module.proj_size:
        h = functional.linear(h, getattr(module, "weight_hr" + suffix))
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


@over_variants
def test_every_gate_by_hand(name, kwargs):
    module = make(name, kwargs)
    x = torch.randn(T, B, F, dtype=torch.float64)
    rows = len(places(kwargs))
    sizes = {"h": kwargs.get("proj_size", H), "c": H} if name == "LSTM" else {"h": H}
    start = {key: torch.randn(rows, B, size, dtype=torch.float64) for key, size in sizes.items()}
    hx = tuple(start.values()) if name == "LSTM" else start["h"]
    plain = module(x, hx)
    output, state, trace = module(x, hx, return_trace=True)
    assert_same((output, state), plain)
    assert set(trace.names) >= NAMES[name]
    outputs = []
    for row, (layer, direction) in enumerate(places(kwargs)):
        before = {}
        for key in sizes:
            values, first = trace[key, layer, direction], start[key][row].unsqueeze(0)
            before[key] = torch.cat([values[1:], first] if direction else [first, values[:-1]])
            final = values[0 if direction else -1]
            assert_same(final, dict(zip(sizes, tensors(state), strict=True))[key][row], f"final {key}")
        expected = gates(name, module, layer, direction, x, before)
        assert set(expected) >= NAMES[name]
        for key, value in expected.items():
            assert_same(trace[key, layer, direction], value, f"{key} of layer {layer}, direction {direction}")
        outputs.append(trace["h", layer, direction])
        if direction == kwargs.get("bidirectional", False):
            x, outputs = torch.cat(outputs, -1), []
    assert_same(output, x)


@pytest.mark.parametrize("name", LAYERS)
def test_short_names_with_one_layer_and_direction(name):
    output, state, trace = make(name, {})(torch.randn(T, B, F, dtype=torch.float64), return_trace=True)
    assert_same(trace["h"], output)
    for key in trace.names:
        assert trace[key].shape == (T, B, H)
        assert torch.equal(trace[key], trace[key, 0, 0])
    if name == "LSTM":
        assert_same(trace["c"][-1], state[1][0])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("kwargs", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_forms_of_input(name, kwargs):
    """The trace has the form of the output: batch first, unbatched, packed."""
    module = make(name, kwargs)
    x = torch.randn(T, B, F, dtype=torch.float64)
    _, _, expected = module(x, return_trace=True)
    module.batch_first = True
    _, _, batch_first = module(x.transpose(0, 1), return_trace=True)
    module.batch_first = False
    _, _, unbatched = module(x[:, 2], return_trace=True)
    lengths = [T, 2, 4, 1, T]
    pack = their_packing.pack_padded_sequence(x, lengths, enforce_sorted=False)
    packed_output, _, packed = module(pack, return_trace=True)
    for key in expected.names:
        for place in places(kwargs):
            wanted = expected[(key, *place)]
            assert wanted.shape == (T, B, H)
            assert_same(batch_first[(key, *place)], wanted.transpose(0, 1))
            assert_same(unbatched[(key, *place)], wanted[:, 2])
            values = packed[(key, *place)]
            assert isinstance(values, their_packing.PackedSequence)
            assert torch.equal(values.batch_sizes, packed_output.batch_sizes)
            assert torch.equal(values.unsorted_indices, packed_output.unsorted_indices)
            for row, mine in enumerate(their_packing.unpack_sequence(values)):
                assert mine.shape == (lengths[row], H)
                alone = module(x[: lengths[row], row], return_trace=True)[2]
                assert_same(mine, alone[(key, *place)])


@pytest.mark.parametrize("name", LAYERS)
def test_with_reset(name):
    module = make(name, {})
    x, reset = torch.randn(T, B, F, dtype=torch.float64), torch.zeros(T, B, dtype=torch.bool)
    reset[3, 1] = reset[0, 2] = True
    result = module(x, reset=reset, return_trace=True)
    assert_same(result[:2], module(x, reset=reset))
    tail = module(x[3:, 1:2], return_trace=True)[2]
    for key in tail.names:
        assert_same(result[2][key][3:, 1:2], tail[key])


@pytest.mark.parametrize("name", LAYERS)
def test_unknown_names_are_told_the_known_ones(name):
    _, _, trace = make(name, {"num_layers": 2})(torch.randn(T, B, F, dtype=torch.float64), return_trace=True)
    with pytest.raises(KeyError) as refused:
        trace["forget", 0, 0]
    for known in NAMES[name]:
        assert known in str(refused.value)
    assert "forget" in str(refused.value)
    with pytest.raises(KeyError, match="layer"):
        trace["h"]
    for place in ((2, 0), (0, 1), (-3, 0)):
        with pytest.raises(KeyError):
            trace[("h", *place)]


@pytest.mark.parametrize("name", LAYERS)
def test_training_goes_on_with_a_trace(name):
    """Gradients are those of a call without a trace."""
    module = make(name, {"num_layers": 2})
    x = torch.randn(T, B, F, dtype=torch.float64)
    expected = torch.autograd.grad(module(x)[0].square().sum(), list(module.parameters()))
    actual = torch.autograd.grad(module(x, return_trace=True)[0].square().sum(), list(module.parameters()))
    assert_same(list(actual), list(expected))


@recurra.cell
def with_heads(x, h, *, W, R, b):
    own = recurra.heads(h, 2)
    doubled = own * 2
    h = recurra.tanh(x @ W + doubled @ R + b)
    return h


def test_heads_stand_one_after_the_other():
    """Traced values of every engine, and their gradients."""
    torch.manual_seed(0)
    module = recurra.nn.Recurrent(with_heads, F, H, dtype=torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    found = {}
    for engine in ("reference", "native"):
        with recurra.engine(engine):
            output, _, trace = module(x, return_trace=True)
            before = torch.cat([torch.zeros(1, B, H, dtype=torch.float64), output[:-1]])
            assert_same([trace["own"], trace["doubled"]], [before, 2 * before])
            loss = trace["doubled"].square().sum() + output.sum()
            found[engine] = torch.autograd.grad(loss, [x, *module.parameters()])
    output = module(x)[0]
    later = 4 * output[:-1].square().sum()  # what `doubled` squared adds up to
    expected = torch.autograd.grad(later + output.sum(), [x, *module.parameters()])
    assert_same(list(found["reference"]), list(expected))
    assert_same(list(found["native"]), list(expected))


@pytest.mark.parametrize("training", [True, False])
def test_a_mask_that_nothing_uses_is_shown(training):
    @recurra.cell
    def idle(x, h, *, W, U, rate=0.5):
        used = recurra.bernoulli(rate)
        unused = recurra.bernoulli(rate)
        shown = unused * h
        h = recurra.tanh(x @ W + (used * h) @ U)
        return h

    module = recurra.nn.Recurrent(idle, F, H).train(training)
    x = torch.randn(T, B, F)
    trace = {name: values for (name, *_), values in module(x, return_trace=True)[2].items()}
    assert trace["unused"].shape == (T, B, H)
    assert training or torch.equal(trace["unused"], torch.full((T, B, H), 0.5))
    assert module(x)[0].shape == (T, B, H)
