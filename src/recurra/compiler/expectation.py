"""Programs as they are outside training: random masks are their means, as numbers wherever that can be."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from recurra.compiler.rewrite import substitute
from recurra.program import OPERATIONS, Equation, Program, Variable

_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
}


def expectation(program: Program) -> Program:
    """The same program with numbers in the place of masks, where something else gives the result its shape.

    Elsewhere masks stay, for their shape's sake. Equations that nothing reads any more stay too.
    """
    varying = program.varying()
    numbers: dict[Variable, float] = {}
    equations: list[Equation] = []
    for equation in program.equations:
        value = _number(equation, numbers)
        if value is not None:
            numbers[equation.results[0]] = value
        equations.append(substitute(equation, numbers) if _keeps_its_shape(equation, numbers, varying) else equation)
    return replace(program, equations=tuple(equations))


def _number(equation: Equation, numbers: Mapping[Variable, float]) -> float | None:
    """The number that a result is in every row and feature; None where it is not one."""
    if equation.operation == "mask":
        return float(equation.attributes["mean"])
    operands = [numbers.get(o) if isinstance(o, Variable) else o for o in equation.operands]
    known = [operand for operand in operands if operand is not None]
    if equation.operation not in _ARITHMETIC or len(known) < len(operands):
        return None
    return _ARITHMETIC[equation.operation](*known)


def _keeps_its_shape(equation: Equation, numbers: Mapping[Variable, float], varying: Collection[Variable]) -> bool:
    """Whether an operand that stays has the rows and the shape of the result."""
    return OPERATIONS[equation.operation].elementwise and any(
        variable in varying and variable not in numbers and variable.shape == equation.results[0].shape
        for variable in equation.variables
    )
