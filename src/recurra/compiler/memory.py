"""Memory: which states decide which over time, and which of them hold more than earlier inputs."""

from __future__ import annotations

from collections.abc import Iterable

from recurra.program import HISTORY, Equation, Program, Variable


def reached_states(program: Program) -> dict[Variable, frozenset[Variable]]:
    """The states that each variable is computed from within a step."""
    reached: dict[Variable, frozenset[Variable]] = {variable: frozenset() for variable in program.variables()}
    reached.update((state, frozenset([state])) for state in program.states)
    for equation in program.computed:
        states = frozenset[Variable]().union(*(reached[variable] for variable in equation.variables))
        reached.update(dict.fromkeys(equation.results, states))
    return reached


def states_over_time(program: Program) -> dict[Variable, frozenset[Variable]]:
    """For each state, the states whose earlier values decide it, over any number of steps."""
    reached = reached_states(program)
    deciding = {s: reached[new] for s, new in zip(program.states, program.next_states, strict=True)}
    for _ in program.states:
        deciding = {s: found.union(*(deciding[other] for other in found)) for s, found in deciding.items()}
    return deciding


def recurrent_states(program: Program) -> list[Variable]:
    """The states that any state of the cell decides, over any number of steps; not histories of inputs alone."""
    deciding = states_over_time(program)
    return [state for state in program.states if any(HISTORY not in other.name for other in deciding[state])]


def remembering_states(program: Program) -> list[str]:
    """The names of the states that remember as parameters tell them to: computed with these, and from themselves.

    Counters, clocks, last observations, histories and copies of other values do not.
    """
    deciding = states_over_time(program)
    learned = depending_except(program.equations, program.parameters, ())
    copied = {*program.sources}
    names = []
    for state, value in zip(program.states, program.next_states, strict=True):
        if value in learned and state in deciding[state] and value not in copied and HISTORY not in state.name:
            names.append(state.name)
        copied.add(value)
    return names


def depending_except(
    equations: Iterable[Equation], sources: Iterable[Variable], except_by: tuple[str, ...]
) -> set[Variable]:
    """The sources, and what is computed from them by other operations than these."""
    reached = set(sources)
    for equation in equations:
        if equation.operation not in except_by and any(variable in reached for variable in equation.variables):
            reached.update(equation.results)
    return reached
