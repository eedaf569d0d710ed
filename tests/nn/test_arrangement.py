"""Learned first states, sizes of each layer, residuals, tied and merged directions: beside compositions of layers."""

import copy
import io
import pickle

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

import recurra
from recurra import cells
from recurra.nn import GRU, LSTM, RNN, Recurrent
from tests.arrangements import ARRANGEMENTS, F, H, flat, make
from tests.nn.compositions import composed

T, B = 7, 3
LENGTHS = (4, 7, 2)
over_arrangements = pytest.mark.parametrize("name", ARRANGEMENTS)


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def state_leaves(layer, batch):
    """For each state, values (batch, size) by layer and direction."""
    directions = 2 if layer.bidirectional else 1
    sizes = layer.state_sizes
    if not isinstance(layer.hidden_size, tuple):
        sizes = [[size] * layer.num_layers for size in sizes]
    return [[leaf(batch, size) for size in of_state for _ in range(directions)] for of_state in sizes]


def as_argument(layer, states, is_batched=True):
    """The states as the layer takes and gives them."""
    directions = 2 if layer.bidirectional else 1
    laid = []
    for values in states:
        if not is_batched:
            values = [value.squeeze(0) for value in values]
        if isinstance(layer.hidden_size, tuple):
            cuts = range(0, len(values), directions)
            laid.append(tuple(torch.stack(values[begin : begin + directions]) for begin in cuts))
        else:
            laid.append(torch.stack(values))
    return tuple(laid) if len(laid) > 1 else laid[0]


def check(layer, mine, theirs, leaves):
    """Check that two results are equal, and their gradients."""
    torch.manual_seed(5)
    loss, other = 0.0, 0.0
    assert len(flat(mine)) == len(flat(theirs))
    for one, two in zip(flat(mine), flat(theirs), strict=True):
        assert one.shape == two.shape
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)
        weight = torch.randn_like(one)
        loss, other = loss + (one * weight).sum(), other + (two * weight).sum()
    wanted = [*leaves, *layer.parameters()]
    gradients = [torch.autograd.grad(each, wanted, allow_unused=True, materialize_grads=True) for each in (loss, other)]
    assert any(one.any() for one in gradients[0])
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-11)


@pytest.mark.parametrize("given", [False, True], ids=["own states, batch first", "given states"])
@over_arrangements
def test_dense(name, given):
    batch_first = not given
    layer = make(name, batch_first=batch_first)
    x = leaf(T, B, F)
    states = state_leaves(layer, B) if given else None
    mine = layer(x.transpose(0, 1) if batch_first else x, *([as_argument(layer, states)] if given else []))
    rows, last = composed(layer, list(x.unbind(1)), states)
    output = torch.stack(rows, 0 if batch_first else 1)
    assert output.shape[-1] == layer.output_size
    check(layer, mine, (output, as_argument(layer, last)), [x, *flat(states or [])])
    with torch.no_grad():  # by another way
        again = layer(x.transpose(0, 1) if batch_first else x, *([as_argument(layer, states)] if given else []))
    assert all(torch.equal(one, two) for one, two in zip(flat(again), flat(mine), strict=True))


@pytest.mark.parametrize("given", [False, True], ids=["own states", "given states"])
@over_arrangements
def test_packed(name, given):
    layer = make(name)
    rows = [leaf(length, F) for length in LENGTHS]
    states = state_leaves(layer, B) if given else None
    output, last = layer(pack_sequence(rows, enforce_sorted=False), as_argument(layer, states) if given else None)
    outputs, ends = composed(layer, rows, states)
    mine = unpack_sequence(output), last
    leaves = [*rows, *flat(states or [])]
    check(layer, mine, (outputs, as_argument(layer, ends)), leaves)


@over_arrangements
def test_unbatched(name):
    layer = make(name)
    x, states = leaf(T, F), state_leaves(layer, 1)
    for given in (None, states):
        mine = layer(x, None if given is None else as_argument(layer, given, False))
        (output,), last = composed(layer, [x], given)
        leaves = [x, *flat(given or [])]
        check(layer, mine, (output, as_argument(layer, last, False)), leaves)


@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
@over_arrangements
def test_resets(name, packed):
    layer = make(name)
    torch.manual_seed(3)
    marks = torch.rand(T, B) < 0.4
    marks[0, 0], marks[-1, 1] = True, True
    lengths = LENGTHS if packed else (T,) * B
    rows, states = [leaf(length, F) for length in lengths], state_leaves(layer, B)
    x = pack_sequence(rows, enforce_sorted=False) if packed else torch.stack(rows, 1)
    output, last = layer(x, as_argument(layer, states), reset=marks)
    outputs, ends = composed(layer, rows, states, [marks[:length, b] for b, length in enumerate(lengths)])
    mine = (unpack_sequence(output) if packed else list(output.unbind(1))), last
    check(layer, mine, (outputs, as_argument(layer, ends)), [*rows, *flat(states)])


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_reset_draws_the_same_masks(training):
    options = {"zoneout": 0.3, "recurrent_dropout": 0.4, "weight_drop": 0.2, "learn_initial_state": True}
    layer = Recurrent(cells.lstm, F, H, 2, **options).train(training)
    x = torch.randn(T, B, F)
    once = torch.zeros(T, B, dtype=torch.bool)
    once[3] = True
    results = []
    for marks in (None, torch.zeros_like(once), once):
        torch.manual_seed(1)
        results.append(layer(x, reset=marks)[0])
    plain, nowhere, cut = results
    torch.testing.assert_close(nowhere, plain, rtol=0, atol=1e-6)
    torch.testing.assert_close(cut[:3], plain[:3], rtol=0, atol=1e-6)
    assert not torch.allclose(cut[3:], plain[3:])
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.manual_seed(1)
        assert torch.equal(other(x, reset=once)[0], cut)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", ["learned, both", "residual but first", "sizes, both", "everything"])
def test_engines_agree(name, engine):
    layer = make(name)
    x, marks = leaf(T, B, F), torch.rand(T, B) < 0.3
    with recurra.engine(engine):
        mine = layer(x, reset=marks)
    rows, last = composed(layer, list(x.unbind(1)), None, list(marks.unbind(1)))
    check(layer, mine, (torch.stack(rows, 1), as_argument(layer, last)), [x])


@pytest.mark.parametrize("name", ["learned", "residual but first", "sizes, both", "everything"])
def test_a_trace(name):
    layer = make(name)
    x = leaf(T, B, F)
    output, last, trace = layer(x, return_trace=True)
    plain = layer(x)
    assert all(torch.equal(one, two) for one, two in zip(flat((output, last)), flat(plain), strict=True))
    top = layer.num_layers - 1
    key = ("h", top, 0) if layer.bidirectional else ("h", top)
    h = last[0] if len(layer.cell.states) > 1 else last
    final = h[-1][0] if isinstance(layer.hidden_size, tuple) else h[2 * top if layer.bidirectional else top]
    torch.testing.assert_close(trace[key][-1], final)


def test_dropout_comes_before_the_residual():
    layer = make("residual", dropout=1.0)
    x = leaf(T, B, F)
    assert torch.equal(layer(x)[0], (x + layer_of_last(layer, x))), "the last layer's output is not dropped"
    torch.testing.assert_close(layer.eval()(x)[0], torch.stack(composed(layer, list(x.unbind(1)))[0], 1))


def layer_of_last(layer, x):
    single = Recurrent(layer.cell, F, layer.hidden_size, dtype=x.dtype)
    weights = {name.replace("l0", "l2"): name for name, _ in single.named_parameters()}
    single.load_state_dict({own: dict(layer.named_parameters())[name] for name, own in weights.items()})
    return single(x)[0]


def test_compiled():
    layer = make("everything")
    x, marks = torch.randn(T, B, F, dtype=torch.float64), torch.rand(T, B) < 0.4
    torch._dynamo.reset()
    mine = torch.compile(layer, fullgraph=True, backend="eager")(x, reset=marks)
    for one, two in zip(flat(mine), flat(layer(x, reset=marks)), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


# ---- parameters ----


def test_names_and_shapes():
    layer = make("everything")
    names = [name for name, _ in layer.named_parameters()]
    assert not any(name.endswith("_reverse") for name in names if "_0_l" not in name)
    first = {name: tuple(weight.shape) for name, weight in layer.named_parameters() if "_0_l" in name}
    assert list(first) == [f"{s}_0_l{k}{way}" for k in range(3) for way in ("", "_reverse") for s in ("h", "c")]
    assert first["h_0_l0"] == first["c_0_l1_reverse"] == (1, 6)
    assert first["c_0_l2"] == (1, 5)
    assert layer.all_weights[0][0] is layer.all_weights[1][0]
    assert list(layer.state_dict()) == names


def test_first_states_begin_at_zero_and_leave_the_weights_as_they_are():
    torch.manual_seed(0)
    plain = LSTM(F, H, 2)
    torch.manual_seed(0)
    learning = LSTM(F, H, 2, learn_initial_state=True)
    for name, weight in plain.named_parameters():
        assert torch.equal(weight, dict(learning.named_parameters())[name])
    x = torch.randn(T, B, F)
    assert torch.equal(plain(x)[0], learning(x)[0])
    with torch.no_grad():
        learning.h_0_l0.fill_(1)
    learning.reset_parameters()
    assert not learning.h_0_l0.any()


def test_layers_begin_within_the_bounds_of_their_own_sizes():
    torch.manual_seed(0)
    layer = Recurrent(cells.gru, F, [4, 400])
    for name, weight in layer.named_parameters():
        bound = 0.5 if name.endswith("_l0") else 0.05
        assert 0.8 * bound < weight.abs().max() <= bound, name


@over_arrangements
def test_copies(name):
    layer = make(name)
    x = torch.randn(T, B, F, dtype=torch.float64)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    fresh = make(name)
    with torch.no_grad():
        for weight in fresh.parameters():
            weight.zero_()
    fresh.load_state_dict(layer.state_dict())
    others = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(buffer, weights_only=False), fresh
    for other in others:
        assert str(other) == str(layer)
        assert all(torch.equal(one, two) for one, two in zip(flat(other(x)), flat(layer(x)), strict=True))


def test_half_precision_and_autocast():
    layer = make("everything", dtype=torch.float32)
    x = torch.randn(T, B, F)
    for mine in (copy.deepcopy(layer).bfloat16()(x.bfloat16()), _under_autocast(layer, x)):
        for one, two in zip(flat(mine), flat(layer(x)), strict=True):
            assert one.dtype == torch.bfloat16
            torch.testing.assert_close(one.float(), two, rtol=0.05, atol=0.05)


def _under_autocast(layer, x):
    with torch.autocast("cpu", torch.bfloat16):
        return layer(x, reset=torch.zeros(T, B, dtype=torch.bool))


# ---- what the drop-ins take, and what is refused ----


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_dropins_take_the_options(kind):
    torch.manual_seed(0)
    layer = kind(F, H, 2, bidirectional=True, dtype=torch.float64, learn_initial_state=True, residual=True,
                 tie_directions=True, merge_mode="sum")  # fmt: skip
    x = leaf(T, B, F)
    rows, last = composed(layer, list(x.unbind(1)))
    check(layer, layer(x), (torch.stack(rows, 1), as_argument(layer, last)), [x])


def test_what_is_shown():
    assert repr(make("tied")).endswith("num_layers=2, bidirectional=True, tie_directions=True)")
    assert repr(make("sum")).endswith("num_layers=2, bidirectional=True, merge_mode='sum')")
    assert repr(make("residual")) == "Recurrent(gru, 6, 6, num_layers=3, residual=True)"
    assert repr(make("residual in one")) == (
        "Recurrent(indrnn, 6, [4, 4, 5], residual=True (but layer 0 takes 6 features and gives 4, layer 2 takes 4 "
        "features and gives 5))"
    )


BOTH = {"bidirectional": True}
REFUSED = [
    ({"merge_mode": "sum"}, ValueError, r"merge_mode='sum' merges two directions: it needs bidirectional=True"),
    ({"merge_mode": "max", **BOTH}, ValueError, r"merge_mode must be 'concat', 'sum', 'mul' or 'ave', not 'max'"),
    ({"merge_mode": None, **BOTH}, ValueError, r"merge_mode must be .* not None"),
    ({"tie_directions": True}, ValueError, r"tie_directions=True .* it needs bidirectional=True"),
    ({"residual": True}, ValueError, r"residual=True adds .*: layer 0 takes 6 features and gives 4"),
    ({"residual": 1}, TypeError, r"residual should be of type bool"),
    ({"learn_initial_state": "yes"}, TypeError, r"learn_initial_state should be of type bool"),
    ({"hidden_size": []}, ValueError, r"hidden_size must have a size for at least one layer"),
    ({"hidden_size": [4, 3], "num_layers": 3}, ValueError, r"hidden_size has 2 sizes.*num_layers is 3"),
    ({"hidden_size": [4, 0]}, ValueError, r"hidden_size must be greater than zero; got 0"),
    ({"hidden_size": [4, 2.5]}, TypeError, r"hidden_size must be an int, or an int for each layer"),
    ({"hidden_size": [4, 3], "proj_size": 3}, ValueError, r"proj_size must be smaller than hidden_size=3"),
    ({"hidden_size": [4, 3], "residual": True}, ValueError, r"layer 0 takes 6 features and gives 4, layer 1 takes 4"),
]


@pytest.mark.parametrize(("options", "kind", "text"), REFUSED, ids=str)
def test_refusals(options, kind, text):
    with pytest.raises(kind, match=text):
        Recurrent(cells.lstm, **{"input_size": F, "hidden_size": H, **options})


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_dropins_say_where_sizes_of_each_layer_are(kind):
    with pytest.raises(TypeError, match=rf"recurra.nn.Recurrent\(recurra.cells.{kind.__name__.lower()}, input_size"):
        kind(F, [4, 3])


STATES = [
    (lambda h, c: h, TypeError, r"two states: give them as a tuple \(h_0, c_0\)|h_0 must be"),
    (lambda h, c: (torch.zeros(2, B, 4), c), TypeError, r"h_0 must be a tuple of 2 tensors.*hidden_size is \[4, 3\]"),
    (lambda h, c: (h[:1], c), RuntimeError, r"h_0 must be a tuple of 2 tensors.*; got 1"),
    (lambda h, c: (h, c[::-1]), RuntimeError, r"c_0\[0\] must be .*directions=1, batch=3, hidden_size=4.*is 3"),
    (lambda h, c: (h, (c[0], c[1][0])), RuntimeError, r"c_0\[1\] must be .*2 dimensions"),
]


@pytest.mark.parametrize(("change", "kind", "text"), STATES)
def test_states_of_each_layer_are_checked(change, kind, text):
    layer = make("sizes")
    h = tuple(torch.zeros(1, B, size, dtype=torch.float64) for size in (4, 3))
    with pytest.raises(kind, match=text):
        layer(torch.randn(T, B, F, dtype=torch.float64), change(h, h))


def test_a_state_that_follows_the_input_may_differ_between_layers_that_have_their_own_sizes():
    @recurra.cell
    def remembering(x, h, previous, *, W, V, U):
        h = recurra.tanh(x @ W + previous @ V + h @ U)
        return h, x

    with pytest.raises(recurra.EquationError, match=r"give hidden_size=\[4, 4\]"):
        Recurrent(remembering, F, H, 2)
    layer = Recurrent(remembering, F, [H, H], dtype=torch.float64)
    assert layer.state_sizes == ((4, 4), (6, 4))
    x = leaf(T, B, F)
    rows, last = composed(layer, list(x.unbind(1)))
    check(layer, layer(x), (torch.stack(rows, 1), as_argument(layer, last)), [x])


@pytest.mark.parametrize("option", ["learn_initial_state", "residual", "tie_directions", "merge_mode"])
def test_options_stay_as_they_were_made(option):
    layer = make("everything")
    with pytest.raises(AttributeError, match=option):
        setattr(layer, option, "concat" if option == "merge_mode" else False)


def test_weight_drop_of_tied_directions():
    layer = recurra.nn.WeightDrop(cells.gru, F, H, bidirectional=True, tie_directions=True, learn_initial_state=True)
    layer(torch.randn(T, B, F))[0].sum().backward()
    assert all(weight.grad is not None for weight in layer.parameters())
