"""Equations by stage: once per call, before the time loop, in each step, after the loop; forward or backward.

An equation belongs to the earliest stage that it can run in:

- **once**: it needs constants alone.
- **before**: it needs rows, and no state.
- **step**: the next state needs it, and it needs a state.
- **after**: it needs a state, and no state needs it; or it adds up all rows.
- **finally**: it needs a sum over all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from recurra.compiler.adjoint import sums_rows
from recurra.compiler.rewrite import needed
from recurra.program import Equation, Program, Variable

ONCE, BEFORE, STEP, FINALLY = range(4)  # levels: when a variable is known


@dataclass(frozen=True)
class Schedule:
    """One pass as an engine runs it: equations in the order of their stages, inputs and results.

    A *row* is one sequence at one step. A *constant* has one value for the whole call.

    Attributes:
        constants: variables given once per call: the parameters.
        rows: variables given for every row, random masks among them.
        states: carried from step to step; the first value of each is given for every sequence.
        next_states: for each state, the variable that a step hands on.
        once: equations over constants alone.
        before: equations over constants and rows: run ahead of the time loop, for many steps at once.
        step: equations that the next state needs: run in the time loop.
        after: equations that no state needs, and sums over all rows: run behind the loop, for many steps at once.
        finally_: equations over constants and sums over all rows: run at the end of the call.
        row_results: results of every row.
        constant_results: results at the end of the call.
    """

    constants: tuple[Variable, ...]
    rows: tuple[Variable, ...]
    states: tuple[Variable, ...]
    next_states: tuple[Variable, ...]
    once: tuple[Equation, ...]
    before: tuple[Equation, ...]
    step: tuple[Equation, ...]
    after: tuple[Equation, ...]
    finally_: tuple[Equation, ...]
    row_results: tuple[Variable, ...]
    constant_results: tuple[Variable, ...]

    def giving(self, further: Sequence[Variable]) -> Schedule:
        """The same schedule, with further variables as results of every row."""
        return replace(self, row_results=(*self.row_results, *further))

    def loop_inputs(self) -> tuple[Variable, ...]:
        """The rows and results of `before` that the loop reads, or hands on as they are."""
        known = dict.fromkeys((*self.rows, *_results(self.before)))
        read = {variable for equation in self.step for variable in equation.variables} | set(self.next_states)
        return tuple(variable for variable in known if variable in read)

    def loop_outputs(self) -> tuple[Variable, ...]:
        """The states and results of `step` that `after` reads, or that are results of every row."""
        in_loop = dict.fromkeys((*self.states, *_results(self.step)))
        read = {variable for equation in self.after for variable in equation.variables} | set(self.row_results)
        return tuple(variable for variable in in_loop if variable in read)


def _results(equations: Iterable[Equation]) -> list[Variable]:
    return [variable for equation in equations for variable in equation.results]


def waits(
    equations: Iterable[Equation], constants: Iterable[Variable], rows: Iterable[Variable], states: Iterable[Variable]
) -> dict[Variable, int]:
    """The level of each variable: ONCE, BEFORE, STEP or FINALLY, the latest of the variables that it depends on.

    Args:
        equations: in an order in which each can be computed.
        constants: known at ONCE.
        rows: known at BEFORE.
        states: known at STEP.
    """
    levels = dict.fromkeys(constants, ONCE) | dict.fromkeys(rows, BEFORE) | dict.fromkeys(states, STEP)
    for equation in equations:
        level = max((levels[variable] for variable in equation.variables), default=ONCE)
        levels.update(dict.fromkeys(equation.results, FINALLY if sums_rows(equation) else level))
    return levels


def program_waits(program: Program) -> dict[Variable, int]:
    """The levels of a program's variables; its masks are rows."""
    return waits(program.computed, program.parameters, _program_rows(program), program.states)


def _program_rows(program: Program) -> tuple[Variable, ...]:
    return (program.input, *(mask.results[0] for mask in program.masks))


def schedule(
    equations: Sequence[Equation],
    *,
    constants: Sequence[Variable],
    rows: Sequence[Variable],
    states: Sequence[Variable],
    next_states: Sequence[Variable],
    row_results: Sequence[Variable],
    constant_results: Sequence[Variable] = (),
) -> Schedule:
    """The equations by stage; the other arguments are those of ``Schedule``."""
    levels = waits(equations, constants, rows, states)
    loop = needed((e for e in equations if levels[e.results[0]] == STEP), next_states)
    looping = {equation.results[0] for equation in loop}
    stages: dict[str, list[Equation]] = {name: [] for name in ("once", "before", "step", "after", "finally_")}
    names = {ONCE: "once", BEFORE: "before", STEP: "step", FINALLY: "finally_"}
    for equation in equations:
        result = equation.results[0]
        is_late = sums_rows(equation) or (levels[result] == STEP and result not in looping)
        stages["after" if is_late else names[levels[result]]].append(equation)
    return Schedule(
        constants=tuple(constants),
        rows=tuple(rows),
        states=tuple(states),
        next_states=tuple(next_states),
        row_results=tuple(row_results),
        constant_results=tuple(constant_results),
        **{name: tuple(stage) for name, stage in stages.items()},
    )


def program_schedule(program: Program, traced: Iterable[Variable] = ()) -> Schedule:
    """The forward pass of a program, which gives the output and the traced variables."""
    return schedule(
        program.computed,
        constants=program.parameters,
        rows=_program_rows(program),
        states=program.states,
        next_states=program.next_states,
        row_results=(program.output, *traced),
    )
