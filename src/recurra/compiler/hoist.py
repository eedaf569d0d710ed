"""hoist: regroups sums, so that as much as possible is computed in an early stage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from recurra.compiler.nests import parts, terms_of
from recurra.compiler.rewrite import Temporaries
from recurra.compiler.schedule import ONCE, program_waits
from recurra.program import Equation, Operand, Program, Variable


def hoist(program: Program, keep: Collection[Variable] = ()) -> Program:
    """The same program, with the terms of every sum grouped by their stages.

    ``x @ W + b + h @ U + c`` is computed as ``(x @ W + (b + c)) + h @ U``: the first bracket leaves the loop.

    Args:
        program: any program.
        keep: variables that are wanted beside the program's results; a sum is not regrouped across them.
    """
    waiting = program_waits(program)
    sums = {equation.results[0]: equation for equation in program.equations if equation.operation == "add"}
    inner = parts(program.equations, sums.keys() - {*keep, *program.roots}, lambda _: ("add",))
    new = Temporaries(program)
    equations: list[Equation] = []
    for equation in program.equations:
        result = equation.results[0]
        if result not in sums:
            equations.append(equation)
        elif result not in inner:
            terms = [term for term, _ in terms_of(result, sums, inner)]
            equations.extend(_regrouped(equation, terms, waiting, new))
    return replace(program, equations=tuple(equations))


def _regrouped(
    equation: Equation, terms: list[Operand], waiting: dict[Variable, int], new: Temporaries
) -> list[Equation]:
    """The sum of terms, added stage by stage: those of the earliest stage first."""
    groups: dict[int, list[Operand]] = {}
    for term in terms:
        groups.setdefault(waiting[term] if isinstance(term, Variable) else ONCE, []).append(term)
    equations: list[Equation] = []
    first, *later = sorted(groups)
    total = _added(groups[first], equations, new)
    for stage in later:
        total = _added([_added(groups[stage], equations, new), total], equations, new)
    return [*equations[:-1], replace(equations[-1], results=equation.results)]


def _added(terms: list[Operand], equations: list[Equation], new: Temporaries) -> Operand:
    total = terms[0]
    for term in terms[1:]:
        shapes = [operand.shape for operand in (total, term) if isinstance(operand, Variable)]
        result = new.new(next((shape for shape in shapes if shape), ()))
        equations.append(Equation("add", (total, term), (result,)))
        total = result
    return total
