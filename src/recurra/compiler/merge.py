"""merge: joins all products with the same left operand into one."""

from __future__ import annotations

from dataclasses import replace

from recurra.compiler.rewrite import Temporaries, parameters_first
from recurra.program import Equation, Program, Size, Variable


def merge(program: Program) -> Program:
    """The same program, with each vector multiplied once, by all of its matrices side by side.

    The products of four gates become one this way. Block-diagonal products (``heads``) stay as they are.
    """
    program = parameters_first(program)
    varying = program.varying()
    groups: dict[Variable, list[Equation]] = {}
    for equation in program.equations:
        left = _multiplied(equation)
        if left in varying:
            groups.setdefault(left, []).append(equation)
    new = Temporaries(program)
    equations: list[Equation] = []
    for equation in program.equations:
        left = _multiplied(equation)
        group = [equation] if left is None else groups.get(left, [equation])
        if len(group) == 1:
            equations.append(equation)
        elif equation is group[0]:
            equations.extend(_merged(group, new))
    return replace(program, equations=tuple(equations))


def _multiplied(equation: Equation) -> Variable | None:
    """The vector that a product multiplies; None for other operations, and for a vector in blocks."""
    left = equation.operands[0] if equation.operation == "product" else None
    return left if isinstance(left, Variable) and len(left.shape) == 1 else None


def _merged(group: list[Equation], new: Temporaries) -> list[Equation]:
    left, rights = group[0].operands[0], tuple(equation.operands[1] for equation in group)
    results = tuple(equation.results[0] for equation in group)
    rows = next(right.shape[0] for right in rights if isinstance(right, Variable))
    columns = sum((result.shape[0] for result in results), Size(()))
    matrix, product = new.new((rows, columns)), new.new((columns,))
    return [
        Equation("concat", rights, (matrix,)),
        Equation("product", (left, matrix), (product,)),
        Equation("partition", (product,), results),
    ]
