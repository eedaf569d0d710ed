"""Formulas of parameters: their values at sizes are the numbers of the shapes, and they read as people write them."""

import math

import pytest

from recurra import cell, cells, concat, heads, relu, split, tanh
from recurra.compiler import trace
from recurra.equations import sum as total
from recurra.look.parameter_formula import parameter_formula
from recurra.program import Sizes


@cell
def halves(x, h, *, W, U, b):
    """Parameters of hidden/2."""
    first, second = split(h, 2)
    return concat(tanh(first @ U + b), second) + x @ W


@cell
def blocks(x, h, *, W, R):
    """Four blocks, hidden/4 by hidden/4 each."""
    return tanh(x @ W + heads(h, 4) @ R)


@cell
def bare(x, h):
    """No parameters."""
    return relu(h + total(x))


@pytest.mark.parametrize(
    ("each", "formula"),
    [
        (cells.lstm, "4*hidden*(input + hidden + 2)"),
        (cells.gru, "3*hidden*(input + hidden + 2)"),
        (cells.multiplicative_lstm, "hidden*(5*input + 5*hidden + 4)"),
        (cells.fast_rnn, "hidden*(input + hidden + 1) + 2"),
        (halves, "hidden*(4*input + hidden + 2)/4"),
        (blocks, "hidden*(4*input + hidden)/4"),
        (bare, "0"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_formula_is_written_as_people_do(each, formula):
    assert parameter_formula(trace(each)) == formula


@pytest.mark.parametrize("each", [*cells.all().values(), halves, blocks, bare], ids=lambda each: each.name)
@pytest.mark.parametrize("projected", [False, True])
def test_its_value_is_the_number_of_the_shapes(each, projected):
    program = trace(each, projected=projected and each in (cells.lstm, cells.peephole_lstm))
    sizes = Sizes(48, 24, 8)
    count = sum(math.prod(size.value(sizes) for size in parameter.shape) for parameter in program.parameters)
    assert eval(parameter_formula(program), {}, sizes._asdict()) == count
