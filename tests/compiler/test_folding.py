"""Folding computes numbers as floating point does, and leaves everything else alone."""

import math

import pytest

from recurra import bernoulli, cell, dropout, tanh
from recurra.compiler import plan, simplify, trace
from recurra.compiler.expectation import expectation
from recurra.compiler.folding import folded
from recurra.program import HIDDEN, Variable
from tests.compiler.outcomes import operations


@pytest.mark.parametrize(
    ("operation", "operands", "result"),
    [
        ("add", (1.0, 2.0), 3.0),
        ("subtract", (1.0, 2.0), -1.0),
        ("multiply", (3.0, 2.0), 6.0),
        ("divide", (3.0, 2.0), 1.5),
        ("divide", (-1.0, 0.0), -math.inf),
        ("divide", (1.0, -0.0), -math.inf),
        ("negative", (2.0,), -2.0),
        ("tanh", (2.0,), None),
        ("add", (1.0, None), None),
        ("add", (1.0, Variable("v", (HIDDEN,))), None),
    ],
)
def test_numbers(operation, operands, result):
    assert folded(operation, operands) == result


def test_zero_over_zero_is_no_number():
    assert math.isnan(folded("divide", (0.0, 0.0)))
    assert math.isnan(folded("divide", (math.nan, 0.0)))


def test_masks_are_numbers_outside_of_training():
    @cell
    def zoneout(x, h, *, W):
        keep = bernoulli(0.25)
        return keep * h + (1 - keep) * dropout(tanh(x @ W + h), 0.5)

    program = plan(expectation(trace(zoneout))).program
    assert program.masks == ()
    numbers = [o for e in program.equations if e.operation == "multiply" for o in e.operands if isinstance(o, float)]
    assert sorted(numbers) == [0.25, 0.75]


def test_a_mask_stays_where_nothing_else_gives_the_shape():
    @cell
    def masked(x, h, *, W):
        return tanh(x @ W + h) + tanh(bernoulli(0.5) + 0.0 * h)

    made = expectation(trace(masked))
    assert operations(made.equations).count("mask") == 1
    assert simplify(made).masks == ()
