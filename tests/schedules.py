"""The rules of every schedule, and schedules run by the reference engine, in numpy."""

import numpy as np

from recurra.compiler.adjoint import ADJOINT_OPERATIONS, sums_rows
from recurra.engines.reference import backward, numpy_table
from recurra.engines.reference.backward import BackwardRun
from recurra.program import OPERATIONS, depending

STAGES = ("once", "before", "step", "after", "finally_")
LIKE = np.zeros(())


@np.errstate(all="ignore")
def compute(equation, values, varying, sizes, rows):
    """Compute an equation in a table of values: rows have a leading dimension, a scalar of each row is (rows, 1)."""
    backward.compute([equation], values, varying, rows, numpy_table, sizes, LIKE)


def run_schedule(schedule, constants, rows, last, sizes, batch_sizes, reset=None, reverse=False):
    """A backward schedule's row results, constant results, and gradients of the first states."""
    run = BackwardRun(schedule, numpy_table, sizes, LIKE)
    return run({**constants, **rows}, last, batch_sizes, reset, reverse)


def check_schedule(schedule):
    """Check that each variable is known before it is read, is computed once, in its stage, and is read."""
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
                "after": sums if sums_rows(equation) else carried,
                "finally_": sums,
            }
            allowed = {
                "once": (constants,),
                "before": (constants, rows),
                "step": (constants, rows, carried),
                "after": (constants, rows, carried),
                "finally_": (constants, sums),
            }
            assert not read.difference(*allowed[stage]), (stage, equation)
            assert not sums_rows(equation) or stage == "after"
            if stage == "before":
                assert read & rows
            if stage == "step" or (stage == "after" and not sums_rows(equation)):
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
