"""The tape that a backward pass is written on, and the operations that only gradients need."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from recurra.compiler.rewrite import Temporaries
from recurra.program import OPERATIONS, Equation, Operand, Program, Shape, Size, Variable
from recurra.program.operations import AttributeValue


class AdjointOperation(NamedTuple):
    """An operation that only gradients need; programs, which users and files may hold, never contain it.

    Attributes:
        name: as in schedules.
        operands: how many.
        meaning: what it computes.
        sums_rows: whether it adds up all rows, so that its result is a constant.
    """

    name: str
    operands: int
    meaning: str
    sums_rows: bool = False


ADJOINT_OPERATIONS: Mapping[str, AdjointOperation] = {
    row.name: row
    for row in (
        AdjointOperation(
            "outer",
            2,
            "the sum over all rows of aᵀb: rows (k) and (n) give (k, n); rows (heads, k) and (heads*c) give "
            "(heads, k, c), head by head",
            sums_rows=True,
        ),
        AdjointOperation("rows_sum", 1, "the sum over all rows, of the same shape", sums_rows=True),
        AdjointOperation("outer_constant", 2, "aᵀb of two constants, (k) and (n), as (k, n)"),
        AdjointOperation("expand", 1, "a scalar or a number in every element of the result's shape"),
        AdjointOperation("total", 1, "the sum over all elements of one value, of each row's if it varies: a scalar"),
        AdjointOperation("reverse_cumsum", 1, "the running sum from the last feature to the first"),
        AdjointOperation("flatten", 1, "(heads, k) as (heads*k), head after head"),
    )
}


class Tape:
    """Writes equations one after the other; what has been written before is used again.

    Args:
        program: whose variables' names are taken.
        new: makes the variables.
    """

    def __init__(self, program: Program, new: Temporaries) -> None:
        self.equations: list[Equation] = []
        self.varying = program.varying()
        self.makers: dict[Variable, Equation] = {}
        self._new = new
        self._seen: dict[tuple[object, ...], tuple[Variable, ...]] = {}

    def know(self, equation: Equation) -> None:
        """Take note of an equation whose results are given, so that nothing computes them again."""
        self._seen.setdefault(_key(equation), equation.results)

    def known(self, equation: Equation) -> tuple[Variable, ...] | None:
        """The results of an equation that computes the same; None if there is none so far."""
        known = self._seen.get(_key(equation))
        if known is None and equation.operation in ("add", "multiply"):
            known = self._seen.get(_key(replace(equation, operands=equation.operands[::-1])))
        return known

    def record(self, equation: Equation) -> None:
        """Write down an equation as it is."""
        self.know(equation)
        self.equations.append(equation)
        self.makers.update(dict.fromkeys(equation.results, equation))
        adjoint = ADJOINT_OPERATIONS.get(equation.operation)
        if not (adjoint and adjoint.sums_rows) and any(operand in self.varying for operand in equation.variables):
            self.varying.update(equation.results)

    def fresh(self, like: Variable) -> Variable:
        """A further variable of the same shape and kind."""
        return Variable(self._new.new(like.shape).name, like.shape, like.kind)

    def several(
        self, operation: str, operands: Sequence[Operand], shapes: Iterable[Shape], **attributes: AttributeValue
    ) -> tuple[Variable, ...]:
        """The results of an operation, written down unless it has been before."""
        kind = OPERATIONS[operation].result if operation in OPERATIONS else "real"
        results = tuple(Variable(self._new.new(shape).name, shape, kind) for shape in shapes)
        equation = Equation(operation, tuple(operands), results, attributes)
        known = self.known(equation)
        if known is None:
            self.record(equation)
        return known or results

    def one(self, operation: str, *operands: Operand, shape: Shape, **attributes: AttributeValue) -> Variable:
        """The only result of an operation."""
        return self.several(operation, operands, [shape], **attributes)[0]

    def elementwise(self, operation: str, *operands: Operand) -> Variable:
        """The result of an operation on each feature alone; scalars meet every feature."""
        shape = next((shape for shape in map(shape_of, operands) if shape), ())
        return self.one(operation, *self._unexpanded(operands, shape), shape=shape)

    def _unexpanded(self, operands: Sequence[Operand], shape: Shape) -> list[Operand]:
        """The operands, with the scalar in place of each that is one expanded, if others still have the shape."""
        slim = [self._scalar_of(operand) for operand in operands]
        if not any(shape_of(operand) == shape for operand in slim):
            return list(operands)
        return slim

    def _scalar_of(self, operand: Operand) -> Operand:
        maker = self.makers.get(operand) if isinstance(operand, Variable) else None
        return maker.operands[0] if maker is not None and maker.operation == "expand" else operand

    def add(self, a: Operand, b: Operand) -> Operand:
        """a + b."""
        if isinstance(a, float) and isinstance(b, float):
            return a + b
        return self.elementwise("add", a, b)

    def subtract(self, a: Operand, b: Operand) -> Operand:
        """a - b."""
        if isinstance(a, float) and isinstance(b, float):
            return a - b
        return self.elementwise("subtract", a, b)

    def multiply(self, a: Operand, b: Operand) -> Operand:
        """a * b."""
        if isinstance(a, float) and isinstance(b, float):
            return a * b
        for factor, other in ((a, b), (b, a)):
            if isinstance(factor, float) and abs(factor) == 1.0:
                return other if factor > 0 else self.negative(other)
        return self.elementwise("multiply", a, b)

    def divide(self, a: Operand, b: Operand) -> Operand:
        """a / b."""
        if isinstance(a, float) and isinstance(b, float):
            return a / b if b else math.nan if a == 0.0 else a * math.copysign(math.inf, b)
        return self.elementwise("divide", a, b)

    def negative(self, a: Operand) -> Operand:
        """-a."""
        if isinstance(a, float):
            return -a
        maker = self.makers.get(a)
        if maker is not None and maker.operation == "negative":
            return maker.operands[0]
        return self.elementwise("negative", a)

    def where(self, condition: Operand, a: Operand, b: Operand) -> Variable:
        """a where the condition holds, b elsewhere."""
        return self.elementwise("where", condition, a, b)

    def both(self, a: Operand, b: Operand) -> Variable:
        """Whether two conditions hold; the table has no operation for it."""
        return self.elementwise("greater", self.where(a, self.where(b, 1.0, 0.0), 0.0), 0.0)

    def either(self, a: Operand, b: Operand) -> Variable:
        """Whether one of two conditions holds."""
        return self.elementwise("greater", self.where(a, 1.0, self.where(b, 1.0, 0.0)), 0.0)

    def transpose(self, a: Variable) -> Variable:
        """A constant with its last two axes swapped."""
        maker = self.makers.get(a)
        if maker is not None and maker.operation == "transpose":
            return maker.variables[0]
        return self.one("transpose", a, shape=(*a.shape[:-2], a.shape[-1], a.shape[-2]))

    def heads(self, a: Variable, count: int) -> Variable:
        """A vector as blocks."""
        maker = self.makers.get(a)
        if maker is not None and maker.operation == "flatten" and _heads(maker.variables[0]) == count:
            return maker.variables[0]
        size = a.shape[-1] / count
        return self.one("heads", a, shape=(Size.constant(count), size), count=count)

    def flatten(self, a: Variable) -> Variable:
        """Blocks as a vector."""
        maker = self.makers.get(a)
        if maker is not None and maker.operation == "heads":
            return maker.variables[0]
        return self.one("flatten", a, shape=(a.shape[-1] * _heads(a),))

    def total(self, a: Operand) -> Variable:
        """The sum of all elements."""
        return self.one("total", a, shape=())

    def expand(self, a: Operand, shape: Shape) -> Variable:
        """A scalar in every element of a shape."""
        return self.one("expand", a, shape=shape)

    def concat(self, parts: Sequence[Variable]) -> Variable:
        """Features one after the other; the parts of one value give that value back."""
        maker = self.makers.get(parts[0])
        if maker is not None and maker.operation in ("partition", "split") and maker.results == tuple(parts):
            return maker.variables[0]
        size = sum((part.shape[-1] for part in parts[1:]), parts[0].shape[-1])
        return self.one("concat", *parts, shape=(*parts[0].shape[:-1], size))

    def partition(self, a: Variable, shapes: Sequence[Shape]) -> tuple[Variable, ...]:
        """Features cut in parts of these shapes; what has been put together of them gives them back."""
        maker = self.makers.get(a)
        if maker is not None and maker.operation == "concat" and [shape_of(o) for o in maker.operands] == [*shapes]:
            return maker.variables
        return self.several("partition", [a], shapes)

    def fitted(self, gradient: Operand, to: Variable) -> Variable:
        """A gradient of what a variable was broadcast to as the gradient of the variable itself."""
        if not isinstance(gradient, Variable):
            return self.expand(gradient, to.shape)
        if gradient in self.varying and to not in self.varying:
            gradient = self.one("rows_sum", gradient, shape=gradient.shape)
        if gradient.shape == to.shape:
            return gradient
        return self.total(gradient) if to.shape == () else self.expand(gradient, to.shape)


def shape_of(operand: Operand) -> Shape:
    """The shape of an operand; a number's is a scalar's."""
    return operand.shape if isinstance(operand, Variable) else ()


def _key(equation: Equation) -> tuple[object, ...]:
    """Equal for two equations that compute the same, `expand` and `partition` to the same shapes included."""
    return (*equation.key, *(variable.shape for variable in equation.results))


def _heads(value: Variable) -> int:
    return int(value.shape[0].factor(""))
