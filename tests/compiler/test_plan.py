"""Every pass preserves the results of a program, and so do all passes together."""

import pickle

import numpy as np
import pytest

import recurra
from recurra import bernoulli, cell, cells, tanh
from recurra.compiler import hoist, merge, plan, simplify, trace
from recurra.compiler.plan import traceable
from recurra.program import from_json, to_json
from tests.cells.representatives import ZOO
from tests.compiler.outcomes import assert_same_results, outcome
from tests.random_cells import random_program, unscheduled


@pytest.mark.parametrize("transform", [simplify, merge, hoist, lambda p: from_json(to_json(p))])
@pytest.mark.parametrize("seed", range(40))
def test_a_pass_changes_no_result(transform, seed):
    program = random_program(seed)
    assert_same_results(transform(program), program)


@pytest.mark.parametrize("seed", range(120))
def test_a_plan_gives_what_its_program_says(seed):
    program = random_program(seed)
    for reverse in (False, True):
        expected = outcome(unscheduled(program), program, reverse=reverse)
        for traced in (False, True):
            scheduled = plan(program, traced=traced)
            for a, b in zip(outcome(scheduled, program, reverse=reverse), expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_too(name):
    program = trace(ZOO[name])
    expected = outcome(unscheduled(program), program)
    for a, b in zip(outcome(plan(program), program), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_identity_matrices_of_two_sizes_are_two():
    @cell
    def shrunk(x, h, *, V, U, W):
        return tanh((x @ (V - 0.1 * recurra.eye())) @ W + h @ (U - 0.1 * recurra.eye()) + (x @ V @ V.T) @ W)

    program = trace(shrunk)
    for transform in (simplify, merge, hoist):
        assert_same_results(transform(program), program)
    np.testing.assert_allclose(
        outcome(plan(program), program)[0], outcome(unscheduled(program), program)[0], rtol=1e-11
    )


def test_equal_programs_have_one_plan():
    program = trace(cells.lstm)
    copied = pickle.loads(pickle.dumps(program))
    assert copied is not program
    assert copied == program
    assert hash(copied) == hash(program)
    assert plan(copied) is plan(program)
    assert plan(copied).source is plan(program).source
    assert plan(copied, traced=True) is plan(program, traced=True) != plan(program)


def test_what_a_trace_shows_is_known_before_a_plan():
    for program in (trace(cells.lstm), *map(random_program, range(10))):
        assert plan(program, traced=True).traced == traceable(program)
        assert plan(program).traced == ()


def test_stages_have_every_equation_and_masks_before_the_loop():
    @cell
    def noisy(x, h, *, W, b):
        return tanh(x @ W + h * bernoulli(0.5) + (b + b))

    scheduled = plan(trace(noisy))
    once, before, step, after = scheduled.stages
    assert sorted(map(id, (*once, *before, *step, *after))) == sorted(map(id, scheduled.program.equations))
    assert scheduled.program.masks[0] in before
