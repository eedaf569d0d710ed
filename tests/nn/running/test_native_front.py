"""The torch front of the native engine: gradients, frozen parameters, double backward, weights that change in place."""

import gc
from contextlib import suppress

import pytest
import torch
from torch import nn

import recurra
from recurra.engines.reference import ReferenceKernel
from recurra.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, Recurrent, RNNCell, pack_sequence
from recurra.nn.running import direct
from tests.cells.literature import CELLS, EVEN
from tests.engines.native.layers import assert_equal, gradients, inputs_of, layer_of, run, weights_of
from tests.nn.support import their_packing
from tests.random_cells import random_cell


@pytest.fixture
def by_reference(monkeypatch):
    """What the reference engine was asked to run."""
    calls = []
    original = ReferenceKernel.forward
    monkeypatch.setattr(ReferenceKernel, "forward", lambda *a: calls.append(a) or original(*a))
    return calls


def leaves_of(layer, x, states):
    return [x, *states, *layer.parameters()]


def as_function(layer, count, **options):
    """The layer as a function of x, its states and its parameters."""
    names = [name for name, _ in layer.named_parameters()]

    def call(x, *others):
        states, weights = others[:count], others[count:]
        state = (tuple(states) if len(states) > 1 else states[0]) if states else None
        output, last, *_ = torch.func.functional_call(
            layer, dict(zip(names, weights, strict=True)), (x, state), options
        )
        return (output, *(last if isinstance(last, tuple) else (last,)))

    return call


def differentiable(name):
    return name not in {"dsgu", "gated_output", "indrnn", "intersection", "slstm"}  # those have kinks


# ---- finite differences ----


@pytest.mark.parametrize("seed", range(10))
def test_gradcheck_of_random_cells(seed, by_reference):
    layer = Recurrent(random_cell(seed, differentiable=True), 3, 4, dtype=torch.float64)
    x, states = inputs_of(layer, 3, 2, seed)
    assert torch.autograd.gradcheck(as_function(layer, 2), leaves_of(layer, x, states))
    assert not by_reference


@pytest.mark.parametrize("name", [name for name in CELLS if differentiable(name)])
def test_gradcheck_of_cells(name, by_reference):
    layer = layer_of(name, 2, 2 if name in EVEN else 3, torch.float64)
    x, states = inputs_of(layer, 2, 2)
    assert torch.autograd.gradcheck(as_function(layer, len(states)), leaves_of(layer, x, states))
    assert not by_reference


@pytest.mark.parametrize(
    "options", [{"num_layers": 2, "bidirectional": True}, {"bias": False}, {"proj_size": 2}], ids=str
)
@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_gradcheck_of_layers(kind, options):
    if kind is not LSTM and "proj_size" in options:
        options = {"batch_first": True}
    layer = kind(2, 3, **options, dtype=torch.float64)
    x = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    reset = torch.tensor([[False, True], [True, False]])
    assert torch.autograd.gradcheck(as_function(layer, 0), [x, *layer.parameters()])
    assert torch.autograd.gradcheck(
        as_function(layer, 0, reset=reset.T if layer.batch_first else reset), [x, *layer.parameters()]
    )


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_gradcheck_of_packed(kind):
    layer = kind(2, 3, bidirectional=True, dtype=torch.float64)
    call = as_function(layer, 0)

    def packed(data, *weights):
        sizes = torch.tensor([3, 2, 2, 1])
        output, *last = call(their_packing.PackedSequence(data, sizes), *weights)
        return (output.data, *last)

    data = torch.randn(8, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(packed, [data, *layer.parameters()])


@pytest.mark.parametrize("kind", [LSTMCell, GRUCell, RNNCell])
def test_gradcheck_of_single_steps(kind):
    module = kind(2, 3, dtype=torch.float64)
    names = [name for name, _ in module.named_parameters()]

    def call(x, *weights):
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (x,))

    x = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(call, [x, *module.parameters()])


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "layer_norm_lstm", "antisymmetric_rnn"])
def test_double_backward_is_the_reference_engine_s(name, by_reference):
    layer = layer_of(name, 2, 2, torch.float64)
    x, states = inputs_of(layer, 2, 1)
    call = as_function(layer, len(states))
    assert torch.autograd.gradgradcheck(call, leaves_of(layer, x, states))
    assert by_reference
    found = []
    for which in ("native", "reference"):
        with recurra.engine(which):
            leaves = leaves_of(layer, x, states)
            first = torch.autograd.grad(call(*leaves)[0].square().sum(), leaves, create_graph=True)
            found.append([*first, *torch.autograd.grad(sum(g.square().sum() for g in first), leaves)])
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11)


def test_a_penalty_on_the_gradient_trains():
    layer = GRU(3, 4)
    x = torch.randn(5, 2, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(p.grad is not None for name, p in layer.named_parameters() if "weight" in name)


# ---- what is asked for ----


@pytest.mark.parametrize("name", CELLS)
def test_frozen_parameters_have_no_gradient(name):
    layer = layer_of(name, 6, 6, torch.float64)
    x, states = inputs_of(layer, 4, 3)
    everything = gradients(run(layer, x, states), leaves_of(layer, x, states))
    for kept in (-1, 0, len(list(layer.parameters())) - 1):  # all are frozen, or all but one
        for number, parameter in enumerate(layer.parameters()):
            parameter.requires_grad_(number == kept).grad = None
        for leaf in (x, *states):
            leaf.grad = None
        values = run(layer, x, states)
        torch.autograd.backward(values, weights_of(values))
        torch.testing.assert_close(x.grad, everything[0], rtol=1e-12, atol=1e-13)
        for number, parameter in enumerate(layer.parameters()):
            assert (parameter.grad is not None) == (number == kept)
            if number == kept:
                torch.testing.assert_close(parameter.grad, everything[1 + len(states) + number], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["lstm", "gru", "layer_norm_lstm", "tgru", "min_gru"])
def test_the_gradient_of_one_thing_alone(name):
    layer = layer_of(name, 6, 6, torch.float64)
    x, states = inputs_of(layer, 4, 3)
    leaves = leaves_of(layer, x, states)
    everything = gradients(run(layer, x, states), leaves)
    for number, leaf in enumerate(leaves):
        for other in leaves:
            other.requires_grad_(other is leaf)
        values = run(layer, x, states)
        found = torch.autograd.grad(values, leaf, weights_of(values), allow_unused=True, materialize_grads=True)
        torch.testing.assert_close(found[0], everything[number], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_loss_of_one_result_alone(part):
    layer, theirs = LSTM(3, 5, dtype=torch.float64), nn.LSTM(3, 5, dtype=torch.float64)
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    found = []
    for module in (layer, theirs):
        output, (h, c) = module(x)
        found.append(torch.autograd.grad((output, h, c)[part].sin().sum(), [x, *module.parameters()]))
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_gradients_of_traced_values():
    layer = Recurrent(CELLS["lstm"], 3, 4, dtype=torch.float64)
    x, states = inputs_of(layer, 4, 2)
    found = []
    for which in ("native", "reference"):
        with recurra.engine(which):
            *_, trace = layer(x, tuple(states), return_trace=True)
            loss = sum((number + 1) * value.sin().sum() for number, value in enumerate(trace.values()))
            found.append(torch.autograd.grad(loss, [x, *layer.parameters()]))
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11)


def test_backward_twice_and_after_more_calls():
    layer = LSTM(3, 5)
    x = torch.randn(4, 2, 3, requires_grad=True)
    output = layer(x)[0]
    first = torch.autograd.grad(output.sum(), x, retain_graph=True)
    for _ in range(3):
        layer(torch.randn(9, 7, 3))[0].sum().backward()
    assert_equal(torch.autograd.grad(output.sum(), x), first)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(output.sum(), x)


def test_nothing_is_kept_for_a_gradient_that_nobody_wants():
    layer = LSTM(3, 5).requires_grad_(False)
    output, (h, c) = layer(torch.randn(4, 2, 3))
    assert output.grad_fn is None
    assert not output.requires_grad
    with torch.no_grad():
        assert LSTM(3, 5)(torch.randn(4, 2, 3))[0].grad_fn is None


@pytest.mark.parametrize("what", ["x", "weight", "state"])
def test_a_value_that_changed_in_place_is_noticed(what):
    layer = LSTM(3, 5)
    x, state = torch.randn(4, 2, 3), torch.zeros(1, 2, 5)
    output = layer(x, (state, state.clone()))[0]
    with torch.no_grad():
        {"x": x, "weight": layer.weight_hh_l0, "state": state}[what].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_resets_that_changed_in_place_are_noticed_or_remembered():
    layer, x = LSTM(3, 5), torch.randn(4, 2, 3, requires_grad=True)
    reset = torch.tensor([[False] * 2, [True] * 2, [False] * 2, [True] * 2])
    expected = found = torch.autograd.grad(layer(x, reset=reset)[0].sum(), x)
    output = layer(x, reset=reset)[0]
    reset.fill_(False)
    with suppress(RuntimeError):
        found = torch.autograd.grad(output.sum(), x)
    assert_equal(found, expected)


# ---- how numbers lie in memory ----


def elsewhere(parameter):
    """The same numbers with the dimensions in another order in memory; a gap of one element between features."""
    order = list(range(parameter.dim()))[::-1]
    moved = torch.full([2 * size for size in parameter.shape[::-1]], float("nan"), dtype=parameter.dtype)
    moved = moved[tuple(slice(0, None, 2) for _ in order)].permute(order)
    moved.copy_(parameter.detach())
    return nn.Parameter(moved)


@pytest.mark.parametrize("name", CELLS)
def test_parameters_may_lie_anywhere(name):
    for hidden in (2, 6, 18):
        layer = layer_of(name, 6, hidden, torch.float64)
        x, states = inputs_of(layer, 4, 3)
        values = run(layer, x, states)
        expected = [*values, *gradients(values, leaves_of(layer, x, states))]
        for key, parameter in list(layer.named_parameters()):
            setattr(layer, key, elsewhere(parameter))
            assert layer.get_parameter(key).stride() != parameter.stride() or parameter.dim() == 0
        values = run(layer, x, states)
        assert_equal([*values, *gradients(values, leaves_of(layer, x, states))], expected, name)


def negated(value):
    """The same numbers as a view whose memory holds their negatives: the imaginary part of a conjugate."""
    view = torch.imag(torch.complex(torch.zeros_like(value), -value.detach()).conj())
    assert view.is_neg()
    assert torch.equal(view, value)
    return view


@pytest.mark.parametrize("sizes", [(5, 7), (1, 1)])
def test_views_of_negatives(sizes):
    layer = LSTM(*sizes)
    x, h = torch.randn(4, 2, sizes[0]), torch.randn(1, 2, sizes[1])
    expected = layer(x, (h, h))[:1]
    assert_equal(layer(negated(x), (h, h))[:1], expected, "x")
    assert_equal(layer(x, (negated(h), h))[:1], expected, "state")
    weights = {name: negated(parameter) for name, parameter in layer.named_parameters()}
    assert_equal(torch.func.functional_call(layer, weights, (x, (h, h)))[:1], expected, "weights")
    arriving = torch.randn(4, 2, sizes[1])
    found = [torch.autograd.grad(layer(x)[0], layer.weight_hh_l0, g) for g in (arriving, negated(arriving))]
    assert_equal(found[0], found[1], "what arrives")


def test_weights_changed_behind_version_counters_are_seen():
    layer, theirs = LSTM(3, 5), nn.LSTM(3, 5)
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(4, 2, 3)
    changes = [
        lambda m: m.weight_hh_l0.data[0].fill_(0.5),
        lambda m: m.weight_ih_l0.detach().numpy().__setitem__((1, 2), 3.0),
        lambda m: m.bias_ih_l0.data.add_(0.25),
        lambda m: setattr(m.weight_hh_l0, "data", torch.full((20, 5), 0.1)),
        lambda m: m.weight_ih_l0.data.untyped_storage().copy_(torch.zeros(60).untyped_storage()),
    ]
    for change in changes:
        for with_gradients in (True, False):
            with torch.set_grad_enabled(with_gradients):
                for _ in range(2):
                    layer(x)
        before = layer(x)[0].detach()
        for module in (layer, theirs):
            change(module)
        assert not torch.equal(layer(x)[0], before)
        torch.testing.assert_close(layer(x)[0], theirs(x)[0], rtol=1e-5, atol=1e-6)
        gc.collect()
        found = [torch.autograd.grad(m(x)[0].sum(), m.weight_hh_l0)[0] for m in (layer, theirs)]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_sizes_that_are_no_whole_vectors(kind, batch_first):
    """Odd sizes, one step, one sequence; transposed input where the batch comes first."""
    for width in (1, 3, 17):
        for hidden in (1, 3, 17, 129):
            layer = kind(width, hidden, batch_first=batch_first)
            theirs = getattr(nn, kind.__name__)(width, hidden, batch_first=batch_first)
            theirs.load_state_dict(layer.state_dict())
            for shape in ((1, 1), (1, 4), (5, 1), (5, 4)):
                x = torch.randn(*shape, width, requires_grad=True)
                found = [[m(x)[0], *torch.autograd.grad(m(x)[0].sum(), [x, *m.parameters()])] for m in (layer, theirs)]
                for mine, other in zip(*found, strict=True):
                    torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def test_an_empty_batch():
    layer = LSTM(3, 5)
    x = torch.randn(4, 0, 3, requires_grad=True)
    output, (h, c) = layer(x)
    assert output.shape == (4, 0, 5)
    assert h.shape == c.shape == (1, 0, 5)
    (output.sum() + h.sum()).backward()
    assert x.grad.shape == x.shape
    assert all(bool((p.grad == 0).all()) for p in layer.parameters())


def test_packed_sequences_of_every_order():
    layer = layer_of("gru", 6, 18, torch.float64, bidirectional=True)
    rows = [torch.randn(length, 6, dtype=torch.float64) for length in (2, 5, 1, 5, 3)]
    output, last = layer(pack_sequence(rows, enforce_sorted=False))
    for number, piece in enumerate(recurra.nn.unpack_sequence(output)):
        alone, end = layer(rows[number].unsqueeze(1))
        assert_equal([piece, last[:, number]], [alone[:, 0], end[:, 0]])


def test_layers_that_do_not_fit_each_other_are_refused():
    first, second = GRU(3, 4), GRU(500, 4)
    with torch.no_grad():
        first(torch.zeros(1, 1, 3))  # from here on native code knows torch's tensors
    names = [[f"{part}{name}" for name in layer._all_weights[0]] for part, layer in (("a", first), ("b", second))]
    with pytest.raises(ValueError, match="layers that do not fit each other"):
        direct._direct([first._scans[0], second._scans[0]], names, 1, False, torch.float32)


def test_a_state_that_is_a_number_is_refused():
    with torch.no_grad(), pytest.raises(RuntimeError, match="h_0 must be a tensor"):
        GRU(3, 4)(torch.zeros(5, 2, 3), torch.tensor(0.0))
