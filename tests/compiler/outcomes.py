"""Plans and programs run by the reference engine on random inputs."""

import numpy as np

from recurra.engines import Call
from recurra.engines.reference import ReferenceKernel
from recurra.program import check
from tests.random_cells import random_inputs, unscheduled

STEPS = [5, 5, 3, 1]


def outcome(scheduled, program, seed=0, reverse=False):
    """Output and last states of a plan, on random inputs made for a program."""
    x, states, parameters, sizes = random_inputs(program, seed, STEPS)
    result = ReferenceKernel(scheduled).forward(Call(x, STEPS, states, parameters, sizes, reverse=reverse))
    return [result.output, *result.states]


def assert_same_results(changed, program, reverse=False):
    """Check that a program changed by a pass computes the same as before."""
    check(changed)
    expected = outcome(unscheduled(program), program, reverse=reverse)
    for a, b in zip(outcome(unscheduled(changed), program, reverse=reverse), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def operations(equations):
    """The operations' names, in order."""
    return [equation.operation for equation in equations]
