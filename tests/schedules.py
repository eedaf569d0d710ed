"""The plainest way to run a schedule: numpy, one step after the other; and what every schedule must keep to."""

import math

import numpy as np

from recurra.compiler.adjoint import ADJOINT_OPERATIONS
from recurra.engines import arrays_numpy
from recurra.engines.reference import _function
from recurra.program import OPERATIONS, Variable, depending

STAGES = ("once", "before", "step", "after", "finally_")


def adjoint_functions(sizes, is_row):
    """What the operations mean that only gradients need; of values with a leading dimension of rows, or without."""

    def outer(a, b):
        if a.ndim == 3:
            return np.einsum("rnk,rnc->nkc", a, b.reshape(*a.shape[:2], -1))
        return a.T @ b

    def total(a):
        return a.reshape(len(a), -1).sum(-1, keepdims=True) if is_row else a.sum()

    def reverse_cumsum(a):
        return np.cumsum(a[..., ::-1], -1)[..., ::-1]

    return {
        "outer": outer,
        "outer_constant": lambda a, b: a[:, None] * b,
        "rows_sum": lambda a: a.sum(0),
        "expand": lambda a: a,  # numpy broadcasts
        "total": total,
        "reverse_cumsum": reverse_cumsum,
        "flatten": lambda a: a.reshape(*a.shape[:-2], -1),
    }


@np.errstate(all="ignore")
def compute(equation, values, varying, sizes, rows):
    """An equation in a table of values: rows have a leading dimension, and a scalar of each row is (rows, 1)."""
    is_row = any(variable in varying for variable in equation.variables)
    deep = max((len(v.shape) for v in (*equation.variables, *equation.results)), default=0)

    def operand(o):
        if not isinstance(o, Variable):
            return np.float64(o)
        # A scalar of each row meets blocks of features.
        return values[o][..., None] if o in varying and not o.shape and deep == 2 and is_row else values[o]

    operands = [operand(o) for o in equation.operands]
    if equation.operation in ADJOINT_OPERATIONS:
        assert len(operands) == ADJOINT_OPERATIONS[equation.operation].operands
        made = adjoint_functions(sizes, is_row)[equation.operation](*operands)
        leads = is_row and not ADJOINT_OPERATIONS[equation.operation].sums_rows
    else:
        arguments = operands if equation.operands else [np.zeros(())]
        made = _function(equation, arrays_numpy, sizes)(*arguments)
        leads = is_row
    for variable, value in zip(equation.results, made if len(equation.results) > 1 else [made], strict=True):
        shape = tuple(size.value(sizes) for size in variable.shape)
        shape = (rows, *(shape or (1,))) if leads else shape
        assert equation.operation == "expand" or np.size(value) == math.prod(shape), equation
        is_broadcast = equation.operation == "expand"
        values[variable] = np.broadcast_to(value, shape).copy() if is_broadcast else np.reshape(value, shape)


def run_schedule(schedule, constants, rows, last, sizes, batch_sizes, reset=None, reverse=False):
    """Run a backward schedule: over the steps in the opposite order of time.

    Args:
        schedule: what to run.
        constants: the constants by variable.
        rows: values of every row by variable.
        last: for each state of the schedule the gradient of the last state of every sequence, (batch, size).
        sizes: numbers of symbols.
        batch_sizes: rows of each step.
        reset: bool (rows, 1).
        reverse: whether the *forward* pass ran from the last step to the first.

    Returns:
        Row results, constant results, and the last values of the states: the gradients of the first states.
    """
    varying = set(schedule.rows) | set(schedule.states)
    for stage in (schedule.before, schedule.step, schedule.after):
        for equation in stage:
            if not _sums(equation) and varying.intersection(equation.variables):
                varying.update(equation.results)
    count = sum(batch_sizes)
    values = {v: constants[v] for v in schedule.constants} | {v: rows[v] for v in schedule.rows}
    for equation in (*schedule.once, *schedule.before):
        compute(equation, values, varying, sizes, count)
    carried = [np.array(value) for value in last]
    starts = np.cumsum([0, *batch_sizes])
    kept = {}
    order = range(len(batch_sizes))
    for t in order if reverse else reversed(order):
        here = slice(starts[t], starts[t + 1])
        now = {v: value[here] if v in varying else value for v, value in values.items()}
        now |= {state: value[: batch_sizes[t]].copy() for state, value in zip(schedule.states, carried, strict=True)}
        for equation in schedule.step:
            compute(equation, now, varying, sizes, batch_sizes[t])
        kept[t] = {v: value for v, value in now.items() if v not in values}
        for value, new in zip(carried, schedule.next_states, strict=True):
            value[: batch_sizes[t]] = now[new] if reset is None else np.where(reset[here], 0.0, now[new])
    for variable in kept.get(0, {}):
        values[variable] = np.concatenate([kept[t][variable] for t in order])
    for equation in (*schedule.after, *schedule.finally_):
        compute(equation, values, varying, sizes, count)
    return [values[v] for v in schedule.row_results], [values[v] for v in schedule.constant_results], carried


def _sums(equation):
    return equation.operation in ADJOINT_OPERATIONS and ADJOINT_OPERATIONS[equation.operation].sums_rows


def check_schedule(schedule):
    """Everything is known before it is read, once, in the stage that it belongs to, and read by something."""
    constants, rows, carried = set(schedule.constants), set(schedule.rows), set(schedule.states)
    sums, known = set(), constants | rows | carried
    assert len(known) == len(schedule.constants) + len(schedule.rows) + len(schedule.states)
    loop = depending(schedule.step, schedule.states)
    for stage in STAGES:
        for equation in getattr(schedule, stage):
            read = set(equation.variables)
            assert read <= known, equation
            assert not known.intersection(equation.results), equation
            assert equation.operation in OPERATIONS or equation.operation in ADJOINT_OPERATIONS
            assert equation.operation != "mask"
            assert equation.variables or equation.operation in ("expand", "eye"), "an operation on numbers alone"
            known.update(equation.results)
            into = {
                "once": constants,
                "before": rows,
                "step": carried,
                "after": sums if _sums(equation) else carried,
                "finally_": sums,
            }
            allowed = {
                "once": constants,
                "before": constants | rows,
                "step": constants | rows | carried,
                "after": constants | rows | carried,
                "finally_": constants | sums,
            }
            assert read <= allowed[stage], (stage, equation)
            assert not _sums(equation) or stage == "after"
            if stage == "before":
                assert read & rows
            if stage == "step" or (stage == "after" and not _sums(equation)):
                assert read & carried
            if stage == "finally_":
                assert read & sums
            into[stage].update(equation.results)
    results = {*schedule.next_states, *schedule.row_results, *schedule.constant_results}
    assert results <= known
    everything = [equation for stage in STAGES for equation in getattr(schedule, stage)]
    read = results | {variable for equation in everything for variable in equation.variables}
    assert all(read.intersection(equation.results) for equation in everything), "dead equations"
    assert read >= {*schedule.constants, *schedule.rows}  # a state may be wanted for its last value alone
    wanted = set(schedule.next_states)
    for equation in reversed(schedule.step):
        assert wanted.intersection(equation.results), "in the loop, and no next state needs it"
        wanted.update(equation.variables)
    keys = [(e.key, tuple(v.shape for v in e.results)) for e in everything]
    assert len(set(keys)) == len(keys), "computed twice"
    assert loop >= {v for e in schedule.step for v in e.results}
