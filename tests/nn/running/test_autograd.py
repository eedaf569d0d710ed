"""Gradients of calls: by finite differences, of gradients, of some inputs only, after changes in place."""

from contextlib import suppress

import pytest
import torch
from torch import nn

import recurra
from recurra.engines.reference import ReferenceKernel
from recurra.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, Recurrent, RNNCell
from tests.cells.representatives import CELLS, EVEN
from tests.engines.native.layers import assert_equal, gradients, inputs_of, layer_of, run, weights_of
from tests.nn.support import their_packing
from tests.random_cells import random_cell


@pytest.fixture
def by_reference(monkeypatch):
    """The calls that the reference engine ran."""
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
    return name not in {"gated_output", "indrnn", "intersection", "block_slstm"}  # those have kinks


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


# ---- some gradients only ----


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
