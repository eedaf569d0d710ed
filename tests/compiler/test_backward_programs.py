"""Backward programs hold no work that nobody needs, and refuse what is no variable."""

import numpy as np
import pytest
import torch

import recurra
from recurra import cell, cells
from recurra.compiler import plan, products_stored, trace
from recurra.compiler.differentiate import differentiate
from recurra.program import HIDDEN, depending
from tests.cells.representatives import CELLS
from tests.compiler.differentiation import BATCH_SIZES, SIZES, Case, everything, nothing, passed
from tests.random_cells import random_program
from tests.schedules import STAGES, check_schedule, run_schedule


def operations(equations):
    return [equation.operation for equation in equations]


def all_equations(schedule):
    return [equation for stage in STAGES for equation in getattr(schedule, stage)]


def of(program, wanted, stored=(), given=None):
    given = (program.output,) if given is None else given
    gradient = differentiate(program, given=given, wanted=wanted, stored=stored)
    check_schedule(gradient.schedule)
    return gradient


def test_an_lstm_keeps_its_gates_and_has_one_product_in_its_loop():
    program = passed(cells.lstm)
    stored = products_stored(program)
    gradient = of(program, everything(program), stored)
    schedule = gradient.schedule
    assert [variable.name for variable in stored] == ["i", "f", "g", "o"]
    assert operations(schedule.step).count("product") == 1
    assert schedule.once == ()
    assert "product" not in operations(schedule.before)
    assert operations(schedule.after) == ["rows_sum", "outer", "product", "outer"]
    assert operations(schedule.finally_) == ["transpose", "transpose"]
    # Each gate's gradient is one multiplication by a factor that is known ahead of the loop.
    assert sorted(operations(schedule.step)) == ["add", "add", "concat", *["multiply"] * 6, "product"]
    assert [variable.name for variable in gradient.carried] == ["h", "c"]
    # Both biases have one gradient.
    by_name = {parameter.name: result for parameter, result in gradient.parameters.items()}
    assert by_name["bias_ih"] == by_name["bias_hh"]
    assert len(schedule.constant_results) == 3


PROGRAMS = {
    **{name: (lambda made=made: passed(made)) for name, made in {**cells.all(), **CELLS}.items()},
    "projected lstm": lambda: passed(cells.lstm, projected=True),
    **{f"random {seed}": (lambda seed=seed: plan(random_program(seed)).program) for seed in range(30)},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_product_is_computed_again(name):
    program = PROGRAMS[name]()
    schedule = of(program, everything(program), products_stored(program)).schedule
    forward = {e.results[0] for e in program.equations if e.operation == "product"} & program.varying()
    assert not forward.intersection(v for e in all_equations(schedule) for v in e.results)
    # The products that are left multiply gradients: they depend on one that arrives from outside or from a later step.
    gradients = {v for v in (*schedule.rows, *schedule.states) if v.name.startswith("%")} - set(program.variables())
    known = depending(all_equations(schedule), gradients)
    for stage in ("before", "step", "after"):
        for equation in getattr(schedule, stage):
            assert equation.operation != "product" or equation.operands[0] in known


def test_frozen_parameters_leave_no_work_behind():
    program = passed(cells.lstm)
    schedule = of(program, [program.input]).schedule
    assert schedule.constant_results == schedule.finally_ == ()
    assert not {"outer", "rows_sum"}.intersection(operations(all_equations(schedule)))
    schedule = of(program, [program.parameters[0]]).schedule
    assert schedule.row_results == ()
    assert operations(schedule.after) == ["outer"]
    weight_hh_alone = of(program, [program.parameters[1]], products_stored(program)).schedule
    assert program.input not in weight_hh_alone.rows


def test_nothing_is_carried_for_what_stands_behind_the_loop():
    @cell(output="y")
    def readout(x, h, *, W, U, V):
        h = recurra.tanh(x @ W + h @ U)
        y = recurra.sigmoid(h @ V)
        return h

    program = passed(readout)
    V = program.parameters[2]
    gradient = of(program, [V], [*program.next_states, program.output])
    assert gradient.carried == gradient.schedule.states == gradient.schedule.step == ()
    assert gradient.schedule.rows == (*program.next_states, program.output, *gradient.arriving)
    assert operations(gradient.schedule.after) == ["outer"]
    Case(plan(trace(readout))).check([V], ())
    assert of(program, [V], given=()).schedule.rows == ()  # the output's gradient does not arrive


def test_only_states_that_matter_are_carried():
    @cell
    def apart(x, h, c, *, W, U, V):
        return recurra.tanh(x @ W + h @ U), recurra.tanh(x @ V + c)

    program = passed(apart)
    x, h, c, W, U, V = everything(program)
    assert of(program, [V]).carried == (c,)
    assert of(program, [W, U]).carried == of(program, [h]).carried == (h,)
    assert of(program, [x]).carried == (h, c)
    assert of(program, []).schedule.rows == ()
    for wanted in ([V], [W, U], [h], [c], [x]):
        Case(plan(trace(apart))).check(wanted, ())


def test_what_nothing_depends_on_has_a_zero_gradient():
    @cell
    def compared(x, h, c, *, W, U, p, s):
        on = recurra.where(recurra.scalar(s) > 0, 1.0, 2.0)
        return recurra.where(x @ W + h @ U > c * p, on, -on), recurra.where(c > h, 1.0, recurra.tanh(h))

    for traced in (False, True):
        case = Case(plan(trace(compared), traced=traced))
        gradient = case.check(everything(case.program), ())
        assert [state.name for state in gradient.carried] == ["h", "c"]
        for source in everything(case.program):
            case.check([source], ())


@pytest.mark.parametrize("chosen", [["A"], ["B"], ["x"], ["B", "D"], ["A", "B", "h"], ["R"], ["R", "S"], ["S", "x"]])
def test_of_matrices_side_by_side_only_the_wanted_ones_have_work(chosen):
    @cell
    def merged(x, h, *, A, B, D, U, R, S):
        a, b = x @ A + h @ U, recurra.tanh(x @ B) * (x @ D)
        c, d = recurra.split(recurra.heads(h, 2) @ recurra.concat(R, S), 2)
        return recurra.tanh(a * b + c * d + h * (recurra.heads(h, 2) @ R) + h * (recurra.heads(h, 2) @ S))

    case = Case(plan(trace(merged)))
    program = case.program
    wanted = [variable for variable in everything(program) if variable.name in chosen]
    for stored in (nothing, products_stored):
        schedule = case.check(wanted, stored(program)).schedule
    outers = [e for e in schedule.after if e.operation == "outer" and e.operands[0] == program.input]
    assert [e.results[0].shape[-1] for e in outers] == [HIDDEN] * len({"A", "B", "D"}.intersection(chosen))


def test_a_sum_of_outer_products_is_cut_only_where_a_product_needs_its_operand_whole():
    @cell
    def two(x, h, *, A, B):
        return recurra.tanh(x @ A) * recurra.sigmoid(x @ B) + 0.5 * h

    case = Case(plan(trace(two)))
    for wanted, width in ((["A", "B"], HIDDEN), (["x", "A", "B"], HIDDEN * 2)):
        named = [variable for variable in everything(case.program) if variable.name in wanted]
        after = case.check(named, products_stored(case.program)).schedule.after
        widths = {e.results[0].shape[-1] for e in after if e.operation == "outer"}
        assert widths == {width}


def test_states_may_change_places_and_inputs_become_states():
    @cell
    def queue(x, h, a, b, *, W, u):
        return u * b, h, a + x @ W

    for reverse in (False, True):
        case = Case(plan(trace(queue)), reverse=reverse, reset=True)
        for wanted in (everything(case.program), [case.program.states[1]], [case.program.input]):
            case.check(wanted, ())


def test_gradients_may_arrive_at_anything_and_twice():
    @cell
    def simple(x, h, *, W, U, b):
        return recurra.tanh(x @ W + h @ U + b)

    case = Case(plan(trace(simple)))
    program = case.program
    x, h, W, U, b = everything(program)
    given = (program.output, program.output, x, h, b, U)
    gradient = of(program, [x, h, W, U, b], given=given)
    assert [variable.shape for variable in gradient.arriving] == [variable.shape for variable in given]
    weights = [case.numbers.uniform(-1, 1, (12, *(size.value(SIZES) for size in v.shape))) for v in given]
    rows = case.rows | dict(zip(gradient.arriving, weights, strict=True))
    constants = dict(zip(program.parameters, case.parameters, strict=True))
    last = np.ones((4, 4))
    schedule = gradient.schedule
    (dx,), found, (dh,) = run_schedule(schedule, constants, rows, [last], SIZES, BATCH_SIZES)
    by_result = dict(zip(schedule.constant_results, found, strict=True))

    leaves = [torch.from_numpy(a).requires_grad_() for a in (case.x, *case.states, *case.parameters)]
    tx, state, tW, tU, tb = leaves
    loss, row = 0.0, 0
    for size in BATCH_SIZES:
        here = slice(row, row + size)
        row += size
        entering = state[:size]
        y = torch.tanh(tx[here] @ tW + entering @ tU + tb)
        values = [y, y, tx[here], entering, tb.expand(size, 4), tU.expand(size, 4, 4)]
        loss = loss + sum((v * torch.from_numpy(w[here])).sum() for v, w in zip(values, weights, strict=True))
        state = torch.cat([y, state[size:]])
    expected = torch.autograd.grad(loss + state.sum(), leaves)
    mine = [dx, dh, *(by_result[gradient.parameters[parameter]] for parameter in (W, U, b))]
    for a, e in zip(mine, expected, strict=True):
        np.testing.assert_allclose(a, e.numpy(), rtol=1e-11, atol=1e-12)


def test_what_is_no_variable_is_refused():
    program = passed(cells.gru_reset_before)
    other = passed(cells.lstm)
    with pytest.raises(ValueError, match="given: i is no real variable of gru_reset_before"):
        differentiate(program, given=[other.named()["i"]], wanted=[])
    with pytest.raises(ValueError, match="wanted: r is neither input, state nor parameter"):
        differentiate(program, given=[], wanted=[program.named()["r"]])
