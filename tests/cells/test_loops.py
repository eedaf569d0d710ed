"""Each cell of the zoo beside its loop in plain torch, which others than its author wrote: values and gradients."""

import pytest
import torch

import recurra
from recurra import cells, hard_sigmoid, relu, softplus, tanh
from recurra.compiler import plan
from recurra.engines import ENGINES
from tests.cells.layers import Arguments, as_tuple, layer_of, run
from tests.cells.loops import LOOPS, Parameters, run_loop

CLOSE = {"rtol": 1e-9, "atol": 1e-10}


def parameters_of(layer, options):
    named = {name: getattr(layer, f"{name}_l0") for name in layer.cell.parameters}
    return Parameters(named, {**layer.cell.options, **options})


def engines_of(layer):
    made = plan(layer.program)
    return [name for name, engine in ENGINES.items() if engine.refuses(made, "float64") is None]


def with_gradients(values, leaves):
    """The values, and the gradients of a sum in which each value has weights of its own."""
    draw = torch.Generator().manual_seed(3)
    total = sum((value * torch.randn(value.shape, generator=draw, dtype=value.dtype)).sum() for value in values)
    return [*values, *torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)]


def assert_close(found, expected, what):
    for position, (mine, other) in enumerate(zip(found, expected, strict=True)):
        torch.testing.assert_close(mine, other, **CLOSE, msg=f"{what}, number {position}: {{}}".format)


def test_every_cell_has_a_loop():
    assert set(LOOPS) == set(cells.all())


def check(name, **options):
    """Compare values and gradients of a layer with those of its loop, on all engines that can run it."""
    layer = layer_of(name, **options)
    given = Arguments(layer)
    leaves = [*given.leaves, *layer.parameters()]
    states = [state[0] for state in given.states]
    output, last = run_loop(LOOPS[name], given.inputs, states, parameters_of(layer, options))
    expected = with_gradients([output, *(state[None] for state in last)], leaves)
    for which in engines_of(layer):
        with recurra.engine(which):
            found = with_gradients(run(layer, given.x, given.further, given.states), leaves)
        assert_close(found, expected, which)


@pytest.mark.parametrize("name", cells.all())
def test_a_cell_is_its_loop(name):
    check(name)


@pytest.mark.parametrize("name", cells.all())
def test_without_first_states(name):
    """States that are not given are zeros: the start of every sequence."""
    layer = layer_of(name)
    given = Arguments(layer)
    zeros = [torch.zeros_like(state[0]) for state in given.states]
    output, last = run_loop(LOOPS[name], given.inputs, zeros, parameters_of(layer, {}))
    found, states = layer(given.x, **given.further)
    assert_close([found, *(state[0] for state in as_tuple(states))], [output, *last], name)


OPTIONS = [
    ("clockwork_rnn", {"periods": (1, 3)}),
    ("coupled_lstm", {"recurrent_activation": hard_sigmoid}),
    ("gru", {"activation": relu, "recurrent_activation": hard_sigmoid}),
    ("gru_reset_before", {"activation": relu, "recurrent_activation": hard_sigmoid}),
    ("janet", {"beta": 0.0}),
    ("lstm", {"activation": softplus, "recurrent_activation": hard_sigmoid, "cell_clip": 0.5}),
    ("ltc", {"unfolds": 2, "activation": tanh}),
    ("on_lstm", {"chunk_size": 2}),
    ("peephole_lstm", {"activation": relu, "recurrent_activation": hard_sigmoid}),
    ("rhn", {"depth": 1}),
    ("slstm", {"num_heads": 2, "exponential_forget": True}),
    ("tau_gru", {"tau": 2, "alpha": 0.5, "beta": 0.3}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=[name for name, _ in OPTIONS])
def test_options_that_change_the_equations(name, options):
    check(name, **options)
