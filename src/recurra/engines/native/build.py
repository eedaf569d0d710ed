"""Schedules as native code: lowered at some sizes, for one dtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import recurra._native as _native
from recurra.compiler import Plan, Schedule
from recurra.engines.native.lower import lower
from recurra.program import Equation, Variable


class Built(NamedTuple):
    """Native code for one direction, at some sizes and of some dtype.

    Attributes:
        kernel: the code.
        output_widths: features of each row result.
        result_shapes: of each constant result.
    """

    kernel: _native.Kernel
    output_widths: tuple[int, ...]
    result_shapes: tuple[tuple[int, ...], ...]


def build(schedule: Schedule, sizes: Mapping[str, int], double: bool, entering: Mapping[Variable, int] | None) -> Built:
    """Native code of a schedule; ``entering`` is of a backward pass, and None forward."""
    lanes = _native.lanes() // (2 if double else 1)
    code = lower(schedule, sizes, lanes, opposite=entering is not None, entering=entering)
    shapes = tuple(tuple(size.value(sizes) for size in v.shape) for v in schedule.constant_results)
    return Built(_native.kernel(code.words(), code.literals, double), tuple(code.outputs), shapes)


def forward_schedule(plan: Plan, kept: Sequence[Variable] = ()) -> Schedule:
    """A plan's forward pass; it gives the output, what is traced, and what is kept."""
    program = plan.program

    def computed(equations: Sequence[Equation]) -> tuple[Equation, ...]:
        return tuple(equation for equation in equations if equation.operation != "mask")

    return Schedule(
        constants=program.parameters,
        rows=(program.input, *(mask.results[0] for mask in program.masks)),
        states=program.states,
        next_states=program.next_states,
        once=plan.once,
        before=computed(plan.before),
        step=plan.step,
        after=plan.after,
        finally_=(),
        row_results=(program.output, *(variable for _, variable in plan.traced), *kept),
        constant_results=(),
    )
