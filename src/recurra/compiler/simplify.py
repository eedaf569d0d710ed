"""simplify: computes constants, removes identities, merges equal equations, drops those that nothing needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from recurra.compiler.folding import folded
from recurra.compiler.rewrite import needed, substitute, users
from recurra.program import OPERATIONS, Equation, Operand, Program, Variable

# operation: (position of the number that changes nothing, that number)
_NEUTRAL = {"add": ((0, 0.0), (1, 0.0)), "subtract": ((1, 0.0),), "multiply": ((0, 1.0), (1, 1.0)),
            "divide": ((1, 1.0),), "power": ((1, 1.0),)}  # fmt: skip


def simplify(program: Program, keep: Collection[Variable] = ()) -> Program:
    """The same program in fewer equations.

    Args:
        program: any program.
        keep: variables that are wanted beside the program's results, under their own names.
    """
    protected = {*keep, *program.roots}
    readers = users(program)
    values: dict[Variable, Operand] = {}
    seen: dict[tuple[object, ...], tuple[Variable, ...]] = {}
    equations: list[Equation] = []
    makers: dict[Variable, Equation] = {}
    for original in program.equations:
        equation = substitute(original, values)
        result = equation.results[0]
        same = _same(equation, makers)
        may_vanish = not protected.intersection(equation.results)
        if same is not None and may_vanish and (isinstance(same, Variable) or _only_elementwise(readers.get(result))):
            values[result] = same
            continue
        twins = seen.get(equation.key) if equation.operation != "mask" else None
        if twins is not None and may_vanish:
            values.update(zip(equation.results, twins, strict=True))
            continue
        seen.setdefault(equation.key, equation.results)
        makers.update(dict.fromkeys(equation.results, equation))
        equations.append(equation)
    return replace(program, equations=tuple(needed(equations, protected)))


def _same(equation: Equation, makers: dict[Variable, Equation]) -> Operand | None:
    """The operand or number that the equation's only result always equals; None where there is none."""
    operands, result = equation.operands, equation.results[0]
    if equation.operation == "scalar" or (
        equation.operation in ("split", "concat", "partition") and _is_whole(equation)
    ):
        return operands[0]
    if equation.operation == "transpose" and isinstance(operands[0], Variable):
        maker = makers.get(operands[0])
        return maker.operands[0] if maker is not None and maker.operation == "transpose" else None
    if equation.operation == "mask" and equation.attributes["probability"] == 1:
        on, mean = float(equation.attributes["on"]), float(equation.attributes["mean"])
        return on if on == mean else None
    number = folded(equation.operation, operands)
    if number is not None:
        return number
    for position, neutral in _NEUTRAL.get(equation.operation, ()):
        other = operands[1 - position]
        # -0.0 + 0.0 is 0.0, so adding zero is not quite an identity; but only 1/x can tell the two zeros apart.
        if operands[position] == neutral and isinstance(operands[position], float) and _shape(other) == result.shape:
            return other
    return None


def _is_whole(equation: Equation) -> bool:
    return len(equation.operands) == 1 and len(equation.results) == 1


def _shape(operand: Operand) -> object:
    return operand.shape if isinstance(operand, Variable) else ()


def _only_elementwise(readers: list[Equation] | None) -> bool:
    """Whether a number may stand for a variable in all of its uses."""
    return all(OPERATIONS[equation.operation].elementwise for equation in readers or ())
