"""hoist: find out what each equation waits for, and regroup sums so that as much as possible waits for little.

An equation belongs to the earliest of four stages that it can run in:

- **once**: it needs parameters alone; it runs once per call.
- **before**: it needs no state; it runs before the time loop, for all steps at once.
- **step**: the next step's state needs it; it runs in the loop.
- **after**: no state needs it; it runs behind the loop, for all steps at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from recurra.compiler.rewrite import Temporaries, needed, users
from recurra.program import Equation, Operand, Program, Variable, depending

ONCE, BEFORE, STEP = 0, 1, 2


def waits(program: Program) -> dict[Variable, int]:
    """For each variable what it waits for: ONCE parameters alone, BEFORE the input or chance, STEP a state."""
    varying = program.varying()
    recurrent = depending(program.equations, program.states)
    return {v: STEP if v in recurrent else BEFORE if v in varying else ONCE for v in program.variables()}


def stages(program: Program) -> tuple[tuple[Equation, ...], ...]:
    """The equations of the four stages: once, before, step, after."""
    waiting = waits(program)
    loop = needed((e for e in program.equations if waiting[e.results[0]] == STEP), program.next_states)
    looping = {id(equation) for equation in loop}
    groups: tuple[list[Equation], ...] = ([], [], [], [])
    for equation in program.equations:
        stage = waiting[equation.results[0]]
        groups[stage if stage != STEP or id(equation) in looping else 3].append(equation)
    return tuple(tuple(group) for group in groups)


def hoist(program: Program, keep: Collection[Variable] = ()) -> Program:
    """The same program with every sum regrouped by what its terms wait for.

    ``x @ W + b + h @ U + c`` is computed as ``(x @ W + (b + c)) + h @ U``: the first bracket leaves the loop.

    Args:
        program: any program.
        keep: variables that are wanted beside the program's results; a sum is not regrouped across them.
    """
    waiting = waits(program)
    readers = users(program)
    protected = {*keep, *program.roots}
    makers = {variable: equation for equation in program.equations for variable in equation.results}
    inner = {
        equation.results[0]
        for equation in program.equations
        if equation.operation == "add"
        and equation.results[0] not in protected
        and [reader.operation for reader in readers.get(equation.results[0], [])] == ["add"]
        and readers[equation.results[0]][0].operands.count(equation.results[0]) == 1
    }
    new = Temporaries(program)
    equations: list[Equation] = []
    for equation in program.equations:
        if equation.operation != "add":
            equations.append(equation)
        elif equation.results[0] not in inner:
            terms = _terms(equation, makers, inner)
            equations.extend(_regrouped(equation, terms, waiting, new))
    return replace(program, equations=tuple(equations))


def _terms(equation: Equation, makers: dict[Variable, Equation], inner: set[Variable]) -> list[Operand]:
    """What a nest of additions adds up, from left to right."""
    terms: list[Operand] = []
    waiting = list(equation.operands[::-1])
    while waiting:
        operand = waiting.pop()
        if isinstance(operand, Variable) and operand in inner:
            waiting.extend(makers[operand].operands[::-1])
        else:
            terms.append(operand)
    return terms


def _regrouped(
    equation: Equation, terms: list[Operand], waiting: dict[Variable, int], new: Temporaries
) -> list[Equation]:
    """The sum of terms, those that wait for least first among themselves."""
    groups: dict[int, list[Operand]] = {}
    for term in terms:
        groups.setdefault(waiting[term] if isinstance(term, Variable) else ONCE, []).append(term)
    made: list[Equation] = []
    first, *later = sorted(groups)
    total = _added(groups[first], made, new)
    for stage in later:
        total = _added([_added(groups[stage], made, new), total], made, new)
    return [*made[:-1], replace(made[-1], results=equation.results)]


def _added(terms: list[Operand], made: list[Equation], new: Temporaries) -> Operand:
    total = terms[0]
    for term in terms[1:]:
        shapes = [operand.shape for operand in (total, term) if isinstance(operand, Variable)]
        result = new.new(next((shape for shape in shapes if shape), ()))
        made.append(Equation("add", (total, term), (result,)))
        total = result
    return total
