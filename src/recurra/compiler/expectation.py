"""expectation: replaces random masks by their means, for use outside of training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from recurra.compiler.folding import folded
from recurra.compiler.rewrite import substitute
from recurra.program import OPERATIONS, Equation, Program, Variable


def expectation(program: Program) -> Program:
    """The same program, with numbers in place of masks wherever another operand gives the result its shape.

    Elsewhere masks stay, as they give the shape. Equations that nothing reads any more stay too.
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
    """The number that a result is in every row and feature; None where it is no such number."""
    if equation.operation == "mask":
        return float(equation.attributes["mean"])
    return folded(equation.operation, [numbers.get(o) if isinstance(o, Variable) else o for o in equation.operands])


def _keeps_its_shape(equation: Equation, numbers: Mapping[Variable, float], varying: Collection[Variable]) -> bool:
    """Whether an operand that stays has the rows and the shape of the result."""
    return OPERATIONS[equation.operation].elementwise and any(
        variable in varying and variable not in numbers and variable.shape == equation.results[0].shape
        for variable in equation.variables
    )
