"""An equation belongs to the earliest stage that it can run in, forward and backward."""

from dataclasses import fields

import pytest

from recurra import bernoulli, cell, cells, sigmoid, tanh
from recurra.compiler import Schedule, plan, trace
from recurra.compiler.schedule import BEFORE, FINALLY, ONCE, STEP, program_schedule, schedule, waits
from recurra.program import HIDDEN, Equation, Variable
from tests.compiler.outcomes import operations
from tests.random_cells import random_program
from tests.schedules import STAGES, check_schedule

W, R, S = (Variable(name, (HIDDEN,)) for name in "Wrs")
MADE = {name: Variable(name, (HIDDEN,)) for name in ("w", "b", "n", "late", "sum", "end")}
EQUATIONS = [
    Equation("tanh", (W,), (MADE["w"],)),
    Equation("multiply", (R, MADE["w"]), (MADE["b"],)),
    Equation("add", (S, MADE["b"]), (MADE["n"],)),
    Equation("tanh", (MADE["n"],), (MADE["late"],)),
    Equation("rows_sum", (R,), (MADE["sum"],)),
    Equation("add", (MADE["sum"], W), (MADE["end"],)),
]


def test_every_stage():
    made = schedule(
        EQUATIONS,
        constants=[W],
        rows=[R],
        states=[S],
        next_states=[MADE["n"]],
        row_results=[MADE["late"]],
        constant_results=[MADE["end"]],
    )
    results = {stage: [e.results[0].name for e in getattr(made, stage)] for stage in STAGES}
    expected = {"once": ["w"], "before": ["b"], "step": ["n"], "after": ["late", "sum"], "finally_": ["end"]}
    assert results == expected
    assert made.loop_inputs() == (MADE["b"],)
    assert made.loop_outputs() == (MADE["n"],)
    assert made.giving([S]).loop_outputs() == (S, MADE["n"])


def test_levels_of_waiting():
    levels = waits(EQUATIONS, [W], [R], [S])
    assert [levels[MADE[name]] for name in MADE] == [ONCE, BEFORE, STEP, STEP, FINALLY, FINALLY]


def test_what_no_state_needs_sinks_behind_the_loop():
    @cell(output="y")
    def readout(x, h, *, W, U, V, M):
        A = M - M.T
        h = tanh(x @ W + h @ U + h @ A)
        y = sigmoid(h @ V)
        return h

    scheduled = plan(trace(readout)).schedule
    assert operations(scheduled.after) == ["product", "sigmoid"]
    assert "subtract" in operations(scheduled.once)
    assert operations(scheduled.step).count("product") == 1


def test_masks_are_rows():
    @cell
    def noisy(x, h, *, W):
        m = bernoulli(0.5)
        return tanh(x @ W + h) * m

    program = trace(noisy)
    mask = program.masks[0].results[0]
    made = program_schedule(program)
    assert made.rows == (program.input, mask)
    assert made.loop_inputs()[0] == mask
    assert all(equation.operation != "mask" for stage in STAGES for equation in getattr(made, stage))


def test_a_step_may_hand_on_its_input():
    @cell
    def delayed(x, h, c, *, W):
        return tanh(x @ W + c @ W + h), x

    made = plan(trace(delayed)).schedule
    assert made.rows[0] in made.loop_inputs()


@pytest.mark.parametrize("seed", range(20))
def test_forward_schedules_keep_to_the_rules_of_all(seed):
    check_schedule(plan(random_program(seed)).schedule)


@pytest.mark.parametrize("name", cells.all())
def test_the_zoo_too(name):
    for traced in (False, True):
        scheduled = plan(trace(cells.all()[name]), traced=traced)
        check_schedule(scheduled.schedule)
        assert scheduled.schedule.row_results == (scheduled.program.output, *(v for _, v in scheduled.traced))


def test_giving_more_changes_nothing_else():
    made = plan(trace(cells.gru)).schedule
    more = made.giving(made.states)
    changed = [field.name for field in fields(Schedule) if getattr(made, field.name) != getattr(more, field.name)]
    assert changed == ["row_results"]
