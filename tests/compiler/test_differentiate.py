"""The backward pass of a program gives the gradients that torch's autograd finds from the forward pass."""

import random

import pytest

import recurra
from recurra import cell, cells
from recurra.compiler import trace
from tests.cells.representatives import OWN, ZOO, zoneout_rnn
from tests.compiler.differentiation import (
    SIZES,
    check_in_many_ways,
)
from tests.random_cells import random_program


@pytest.mark.parametrize("seed", range(160))
def test_random_cells(seed):
    check_in_many_ways(random_program(seed, differentiable=seed % 2 == 0), seed)


@pytest.mark.parametrize("seed", range(20))
def test_random_cells_projected(seed):
    check_in_many_ways(trace(projectable(seed), projected=True), seed)


def projectable(seed):
    draw = random.Random(seed)

    @cell
    def randomly(x, h, c, *, W, U, V, b):
        smooth = [recurra.sigmoid, recurra.tanh, recurra.sin, recurra.softplus, recurra.softmax]
        a = draw.choice(smooth)(x @ W + h @ U + b)
        d = draw.choice(smooth)(c * a + h @ V)
        return recurra.tanh(d) * a, a * c + d

    return randomly


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_zoo(name, seed):
    check_in_many_ways(trace(ZOO[name]), seed)


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm", "layer_norm_lstm"])
def test_the_zoo_projected(name):
    check_in_many_ways(trace(cells.all()[name], projected=True), 0)


@pytest.mark.parametrize("name", [*OWN, "zoneout_rnn"])
def test_cells_of_tests(name):
    made = OWN.get(name, zoneout_rnn)
    width = 4 if name == "intersection" else 3
    check_in_many_ways(trace(made), 0, SIZES._replace(input=width))
