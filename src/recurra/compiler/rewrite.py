"""Helpers that the passes share: replacing operands, new variables, the order of evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

from recurra.program import Equation, Operand, Program, Shape, Variable


def substitute(equation: Equation, values: Mapping[Variable, Operand]) -> Equation:
    """The equation with operands replaced by their values."""
    if not any(variable in values for variable in equation.variables):
        return equation
    operands = tuple(values.get(o, o) if isinstance(o, Variable) else o for o in equation.operands)
    return replace(equation, operands=operands)


class Temporaries:
    """Makes variables whose names do not occur in a program."""

    def __init__(self, program: Program) -> None:
        self._taken = {variable.name for variable in program.variables()}
        self._numbers = count()

    def new(self, shape: Shape) -> Variable:
        """A further real variable."""
        name = next(f"%{n}" for n in self._numbers if f"%{n}" not in self._taken)
        self._taken.add(name)
        return Variable(name, shape)


def users(program: Program) -> dict[Variable, list[Equation]]:
    """For each variable, the equations that read it, in order."""
    readers: dict[Variable, list[Equation]] = {}
    for equation in program.equations:
        for variable in dict.fromkeys(equation.variables):
            readers.setdefault(variable, []).append(equation)
    return readers


def needed(equations: Iterable[Equation], roots: Iterable[Variable]) -> list[Equation]:
    """The equations that the roots are computed from, in order."""
    wanted = set(roots)
    kept = []
    for equation in reversed(list(equations)):
        if wanted.intersection(equation.results):
            kept.append(equation)
            wanted.update(equation.variables)
    return kept[::-1]


def parameters_first(program: Program) -> Program:
    """The same program, with the equations that depend on parameters alone before all others."""
    varying = program.varying()
    constant = [equation for equation in program.equations if not varying.intersection(equation.results)]
    rest = [equation for equation in program.equations if varying.intersection(equation.results)]
    return replace(program, equations=(*constant, *rest))
