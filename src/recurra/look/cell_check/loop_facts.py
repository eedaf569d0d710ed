"""The work of a cell's loop over time: what runs in it, what leaves it and why, what is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recurra.compiler import Plan
from recurra.engines import Wishes
from recurra.engines.saved import derive
from recurra.program import Equation, Operand, Program, Sizes, Variable
from recurra.program.text import Printer

_WHY = {
    "once per call": "needs parameters alone",
    "before the loop": "needs no state",
    "after the loop": "no next state needs it",
}
_SIGNS = {"multiply": "*", "divide": "/", "add": "+", "subtract": "-", "product": "@"}


@dataclass(frozen=True)
class HoistedProduct:
    """A matrix product that does not run in the loop over time.

    Attributes:
        text: the product, as the cell would write it.
        when: ``"once per call"``, ``"before the loop"`` or ``"after the loop"``.
        why: the reason in words.
    """

    text: str
    when: str
    why: str


@dataclass(frozen=True)
class LoopFacts:
    """The loop over time of a cell.

    Attributes:
        written: the matrix products of the equations as they are written.
        products: the matrix products in each step, joined where one product computes several.
        in_a_row: of these, the longest chain in which each waits for the one before.
        hoisted: the matrix products that leave the loop.
        equations: the equations in each step, as text.
        outside: the number of equations that run outside of the loop.
    """

    written: int
    products: tuple[str, ...]
    in_a_row: int
    hoisted: tuple[HoistedProduct, ...]
    equations: tuple[str, ...]
    outside: int


def loop_facts(scheduled: Plan) -> LoopFacts:
    """The facts of a plan's loop."""
    once, before, step, after = scheduled.stages
    whole = _Expressions(scheduled.program)
    hoisted = [
        HoistedProduct(whole.product(equation), when, _WHY[when])
        for when, equations in (("once per call", once), ("before the loop", before), ("after the loop", after))
        for equation in equations
        if equation.operation == "product"
    ]
    printer = Printer(scheduled.program, scheduled.stages)
    return LoopFacts(
        written=_count(scheduled.source.equations),
        products=tuple(whole.product(equation) for equation in step if equation.operation == "product"),
        in_a_row=_in_a_row(step),
        hoisted=tuple(hoisted),
        equations=tuple(text for text, _ in printer.lines(step)),
        outside=len(once) + len(before) + len(after),
    )


def _count(equations: Iterable[Equation]) -> int:
    return sum(equation.operation == "product" for equation in equations)


def _in_a_row(step: Iterable[Equation]) -> int:
    """The longest chain of products of a step of which each needs the result of the one before."""
    depths: dict[Variable, int] = {}
    for equation in step:
        depth = max((depths.get(variable, 0) for variable in equation.variables), default=0)
        depths.update(dict.fromkeys(equation.results, depth + (equation.operation == "product")))
    return max(depths.values(), default=0)


class _Expressions:
    """Products as people read them: joined matrices as a list, other operands by name."""

    def __init__(self, program: Program) -> None:
        self._makers = {variable: equation for equation in program.equations for variable in equation.results}

    def product(self, equation: Equation) -> str:
        """``h @ [U_i, U_f]`` for one product of two joined matrices."""
        left, right = (self._name(operand) for operand in equation.operands)
        return f"{left} @ {right}"

    def _name(self, operand: Operand) -> str:
        if not isinstance(operand, Variable):
            return f"{operand:g}"
        maker = self._makers.get(operand)
        if operand.is_named or maker is None:
            return operand.name
        names = [self._name(each) for each in maker.operands]
        if maker.operation == "concat":
            return f"[{', '.join(names)}]"
        if maker.operation == "transpose":
            return f"{names[0]}.T"
        if maker.operation in _SIGNS and len(names) == 2:
            return f"({names[0]} {_SIGNS[maker.operation]} {names[1]})"
        inner = ", ".join(dict.fromkeys(names))
        return (
            f"{maker.operation}{inner}" if inner.startswith("(") and len(names) == 1 else f"{maker.operation}({inner})"
        )


def kept_bytes(scheduled: Plan, sizes: Sizes, item: int = 4) -> int:
    """The bytes that training keeps for each step of each sequence until the backward pass: output, gates, masks.

    Args:
        scheduled: the plan.
        sizes: the numbers of the program's symbols.
        item: bytes of a number. Default 4, float32.
    """
    program = scheduled.program
    wanted = (False, *(False for _ in program.states), *(True for _ in program.parameters))
    values = derive(scheduled, Wishes(wanted)).kept
    masks = [mask.results[0] for mask in program.masks]
    return item * sum(variable.width(sizes) for variable in (program.output, *values, *masks))
