"""Programs of thousands of equations become native code in linear time, and give the same numbers."""

import time

import pytest

import recurra
from recurra.compiler import plan, trace
from recurra.engines.native.lower import lower
from recurra.program import Sizes
from tests.engines.native.cases import Case


@recurra.cell
def activations(x, h, *, W):
    """A program in which every sum can be fused into the activation after it."""
    h = x @ W + h
    for _ in range(1500):
        h = recurra.sigmoid(h + h)
    return h


@recurra.cell
def of_parameters(x, h, *, W, b):
    """A program with equations over parameters alone, nested more deeply than Python's stack."""
    h = x @ W + h + b
    for _ in range(700):
        b = recurra.tanh(b)
        W = recurra.concat(*recurra.split((W * 1.001).T, 3)[::-1]).T
    for _ in range(700):
        h = h + b
    return recurra.tanh(x @ W + 0.001 * h)


@recurra.cell
def numbers(x, h, *, W):
    """A program with as many different numbers as equations."""
    h = x @ W + h
    for number in range(1500):
        h = recurra.clip(h, -1.0 - number, 1.0 + number)
    return h


@pytest.mark.parametrize("cell", [activations, of_parameters, numbers], ids=lambda cell: cell.name)
def test_time_and_numbers(cell):
    case = Case(trace(cell), steps=(2, 1), hidden=3)
    start = time.process_time()
    case.check_forward()
    case.check_backward()
    assert time.process_time() - start < 30, "it was hours, where the time grew with the cube"


def test_a_matrix_of_a_million_pieces_is_made_as_one():
    @recurra.cell
    def doubled(x, h, *, W, R):
        h = h + recurra.mean(h @ R)
        for _ in range(20):
            R = recurra.concat(R, R)
        return recurra.tanh(x @ W + h + recurra.mean(h @ R))

    code = lower(plan(trace(doubled)).schedule, Sizes(3, 4), 8)
    assert len(code.words()) < 5000
