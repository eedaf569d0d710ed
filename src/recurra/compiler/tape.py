"""The tape on which a backward pass is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recurra.compiler.adjoint import sums_rows
from recurra.compiler.folding import folded
from recurra.compiler.rewrite import Temporaries
from recurra.program import OPERATIONS, Equation, Operand, Shape, Size, Variable
from recurra.program.operations import AttributeValue


class Tape:
    """Writes equations one after the other, and reuses the results of an equal one that was written before.

    Args:
        varying: the variables that differ from row to row.
        new: makes further variables.

    Attributes:
        equations: those that have been written.
        varying: the variables that differ from row to row, so far.
        makers: for each variable, the equation that computes it.
    """

    def __init__(self, varying: set[Variable], new: Temporaries) -> None:
        self.equations: list[Equation] = []
        self.varying = varying
        self.makers: dict[Variable, Equation] = {}
        self._new = new
        self._seen: dict[tuple[object, ...], tuple[Variable, ...]] = {}

    def successor(self) -> Tape:
        """An empty tape, on which the same variables vary and new ones have other names."""
        return Tape(set(self.varying), self._new)

    def know(self, equation: Equation) -> None:
        """Take note of an equation whose results are given, so that nothing computes them again."""
        self._seen.setdefault(equation.key, equation.results)

    def known(self, equation: Equation) -> tuple[Variable, ...] | None:
        """The results of an equation that computes the same; None if there is none so far."""
        key = equation.key
        known = self._seen.get(key)
        if known is None and equation.operation in ("add", "multiply"):
            operation, operands, *rest = key
            known = self._seen.get((operation, operands[::-1], *rest))
        return known

    def record(self, equation: Equation) -> None:
        """Write down an equation as it is."""
        self.know(equation)
        self.equations.append(equation)
        self.makers.update(dict.fromkeys(equation.results, equation))
        if not sums_rows(equation) and any(operand in self.varying for operand in equation.variables):
            self.varying.update(equation.results)

    def fresh(self, like: Variable) -> Variable:
        """A further variable of the same shape and kind."""
        return Variable(self._new.new(like.shape).name, like.shape, like.kind)

    def several(
        self, operation: str, operands: Sequence[Operand], shapes: Iterable[Shape], **attributes: AttributeValue
    ) -> tuple[Variable, ...]:
        """The results of an operation, which is written down unless an equal one was before."""
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
        """The operands, with each expanded scalar as the scalar itself, if another operand still has the shape."""
        slim = [self._scalar_of(operand) for operand in operands]
        if not any(shape_of(operand) == shape for operand in slim):
            return list(operands)
        return slim

    def _scalar_of(self, operand: Operand) -> Operand:
        maker = self.makers.get(operand) if isinstance(operand, Variable) else None
        return maker.operands[0] if maker is not None and maker.operation == "expand" else operand

    def _arithmetic(self, operation: str, *operands: Operand) -> Operand:
        """The result of an operation; of numbers alone, a number."""
        number = folded(operation, operands)
        return self.elementwise(operation, *operands) if number is None else number

    def add(self, a: Operand, b: Operand) -> Operand:
        """a + b."""
        return self._arithmetic("add", a, b)

    def subtract(self, a: Operand, b: Operand) -> Operand:
        """a - b."""
        return self._arithmetic("subtract", a, b)

    def multiply(self, a: Operand, b: Operand) -> Operand:
        """a * b."""
        for factor, other in ((a, b), (b, a)):
            if isinstance(factor, float) and abs(factor) == 1.0:
                return other if factor > 0 else self.negative(other)
        return self._arithmetic("multiply", a, b)

    def divide(self, a: Operand, b: Operand) -> Operand:
        """a / b."""
        return self._arithmetic("divide", a, b)

    def negative(self, a: Operand) -> Operand:
        """-a."""
        maker = self.makers.get(a) if isinstance(a, Variable) else None
        if maker is not None and maker.operation == "negative":
            return maker.operands[0]
        return self._arithmetic("negative", a)

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
        """Features cut in parts of these shapes; a value that was joined from such parts gives these back."""
        maker = self.makers.get(a)
        if maker is not None and maker.operation == "concat" and [shape_of(o) for o in maker.operands] == [*shapes]:
            return maker.variables
        return self.several("partition", [a], shapes)

    def fitted(self, gradient: Operand, to: Variable) -> Variable:
        """The gradient of a variable, from the gradient of what the variable was broadcast to."""
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


def _heads(value: Variable) -> int:
    return int(value.shape[0].factor(""))
