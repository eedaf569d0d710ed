"""Biases are found by their use, and ``bias=False`` drops them."""

import numpy as np

import recurra
from recurra import cell, scalar, sigmoid, tanh
from recurra.compiler import biases, drop_biases, plan, trace
from recurra.engines import Call
from recurra.engines.reference import ReferenceKernel
from recurra.program import check
from tests.compiler.outcomes import STEPS
from tests.random_cells import random_inputs


def test_biases_are_what_is_only_ever_added():
    @cell
    def mixed(x, h, *, W, U, b, c, d, gain, alpha):
        z = recurra.layer_norm(x @ W + b + c, gain, d)
        return tanh(z + h @ U) * sigmoid(scalar(alpha))

    program = trace(mixed)
    assert [bias.name for bias in biases(program)] == ["b", "c", "d"]
    without = drop_biases(program)
    check(without)
    assert [parameter.name for parameter in without.parameters] == ["W", "U", "gain", "alpha"]
    x, states, parameters, sizes = random_inputs(program, 0, STEPS)
    zeroed = [np.zeros_like(p) if v.name in "bcd" else p for v, p in zip(program.parameters, parameters, strict=True)]
    kept = [p for v, p in zip(program.parameters, parameters, strict=True) if v.name not in "bcd"]
    expected = ReferenceKernel(plan(program)).forward(Call(x, STEPS, states, zeroed, sizes))
    got = ReferenceKernel(plan(without)).forward(Call(x, STEPS, states, kept, sizes))
    np.testing.assert_allclose(got.output, expected.output, rtol=1e-13, atol=1e-14)


def test_a_bias_that_is_also_multiplied_stays():
    @cell
    def shared(x, h, *, W, b):
        return tanh(x @ W + h + b) * b

    assert biases(trace(shared)) == ()
