"""Every pass keeps what a program computes; and does what it is for."""

import numpy as np
import pytest

import recurra
from recurra import cell, cells, dropout, scalar, sigmoid, tanh
from recurra.compiler import biases, drop_biases, hoist, merge, plan, simplify, trace
from recurra.engines import Call
from recurra.engines.reference import ReferenceKernel
from recurra.program import check, from_json, to_json
from tests.random_cells import random_inputs, random_program, unscheduled

SIZES = [5, 5, 3, 1]


def outcome(scheduled, program, seed=0, reverse=False):
    """Output and last states of a plan on random inputs made for a program."""
    x, states, parameters, sizes = random_inputs(program, seed, SIZES)
    result = ReferenceKernel(scheduled).forward(Call(x, SIZES, states, parameters, sizes, reverse=reverse))
    return [result.output, *result.states]


def assert_same_results(changed, program, reverse=False):
    check(changed)
    expected = outcome(unscheduled(program), program, reverse=reverse)
    for a, b in zip(outcome(unscheduled(changed), program, reverse=reverse), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


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


@pytest.mark.parametrize("name", cells.all())
def test_the_zoo_too(name):
    program = trace(cells.all()[name])
    expected = outcome(unscheduled(program), program)
    for a, b in zip(outcome(plan(program), program), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def operations(program):
    return [equation.operation for equation in program.equations]


def test_simplify_drops_what_is_dead_equal_or_nothing():
    @cell
    def wasteful(x, h, *, W, U):
        unused = tanh(x)
        a = sigmoid(x @ W + h @ U)
        b = sigmoid(x @ W + h @ U)
        c = (a + 0.0) * 1.0 / 1.0
        return c * h + (1 - b) * dropout(a, 0.0) * (2.0 + 1.0 * 3.0)

    program = simplify(trace(wasteful))
    assert operations(program).count("sigmoid") == 1
    assert operations(program).count("product") == 2
    assert not {"tanh", "divide", "mask"} & set(operations(program))


def test_simplify_keeps_what_is_asked_for():
    program = trace(cells.lstm)
    wanted = [program.named()["a_i"], program.named()["g"]]
    assert set(wanted) <= {v for e in simplify(program, wanted).equations for v in e.results}


def test_random_masks_are_never_merged():
    @cell
    def noisy(x, h, *, W):
        z = x @ W + h
        return dropout(z, 0.5) + dropout(z, 0.5)

    assert len(simplify(trace(noisy)).masks) == 2


def test_merge_makes_one_product_of_four():
    program = merge(trace(cells.peephole_lstm))
    assert operations(program).count("product") == 2
    assert [len(e.operands) for e in program.equations if e.operation == "concat"] == [4, 4]


def test_products_left_in_the_loop():
    counts = {name: plan(trace(value)).products_per_step for name, value in cells.all().items()}
    assert counts == {
        "antisymmetric_rnn": 1,
        "fast_rnn": 1,
        "gru": 1,
        "gru_reset_before": 2,
        "indrnn": 0,
        "layer_norm_lstm": 1,
        "lstm": 1,
        "mgu": 2,
        "min_gru": 0,
        "multiplicative_lstm": 2,
        "peephole_lstm": 1,
        "rnn": 1,
    }


def test_hoist_takes_both_biases_and_the_input_out_of_the_loop():
    scheduled = plan(trace(cells.lstm))
    assert operations_of(scheduled.once) == ["transpose", "transpose", "add"]
    assert operations_of(scheduled.before) == ["product", "add"]
    assert operations_of(scheduled.step)[:3] == ["product", "add", "split"]
    assert scheduled.after == ()


def operations_of(equations):
    return [equation.operation for equation in equations]


def test_what_no_state_needs_sinks_behind_the_loop():
    @cell(output="y")
    def readout(x, h, *, W, U, V, M):
        A = M - M.T
        h = tanh(x @ W + h @ U + h @ A)
        y = sigmoid(h @ V)
        return h

    scheduled = plan(trace(readout))
    assert operations_of(scheduled.after) == ["product", "sigmoid"]
    assert "subtract" in operations_of(scheduled.once)
    assert scheduled.products_per_step == 1


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
    x, states, parameters, sizes = random_inputs(program, 0, SIZES)
    zeroed = [np.zeros_like(p) if v.name in "bcd" else p for v, p in zip(program.parameters, parameters, strict=True)]
    kept = [p for v, p in zip(program.parameters, parameters, strict=True) if v.name not in "bcd"]
    expected = ReferenceKernel(plan(program)).forward(Call(x, SIZES, states, zeroed, sizes))
    got = ReferenceKernel(plan(without)).forward(Call(x, SIZES, states, kept, sizes))
    np.testing.assert_allclose(got.output, expected.output, rtol=1e-13, atol=1e-14)


def test_a_bias_that_is_also_multiplied_stays():
    @cell
    def shared(x, h, *, W, b):
        return tanh(x @ W + h + b) * b

    assert biases(trace(shared)) == ()


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
