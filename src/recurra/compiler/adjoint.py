"""The derivative table: for each operation, what its operands' gradients are; and the tape that they are written on."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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


Gradients = Sequence[Variable | None]
Contribution = Callable[[], Operand] | None  # made only where it is wanted; None for nothing
Rule = Callable[[Tape, Equation, Gradients], Sequence[Contribution]]


def contributions(
    tape: Tape, equation: Equation, gradients: Gradients, to: Collection[Variable]
) -> list[tuple[Variable, Operand]]:
    """What an equation adds to the gradients of its operands.

    Args:
        tape: where it is written down; the equation's operands and results must be known there.
        equation: of the program.
        gradients: of its results; None for one that nothing depends on, but not for all.
        to: the variables whose gradients are wanted.

    Returns:
        Pairs of an operand and a contribution, which has the shape of the result where operands were broadcast.
    """
    if equation.operation in UNDIFFERENTIABLE:
        return []
    if equation.operation == "product":
        apart = _merged_apart(tape, equation, _of_one(gradients), to)
        if apart is not None:
            left = equation.variables[0]
            return [*contributions(tape, equation, gradients, {left}.intersection(to)), *apart]
    rule = RULES[equation.operation](tape, equation, gradients)
    pairs = zip(equation.operands, rule, strict=True)
    return [(operand, made()) for operand, made in pairs if isinstance(operand, Variable) and operand in to and made]


def _merged_apart(
    tape: Tape, equation: Equation, d: Variable, to: Collection[Variable]
) -> list[tuple[Variable, Operand]] | None:
    """The gradients of those of the matrices that were merged into one which are wanted, if not all of them are."""
    left, right = equation.variables
    maker = tape.makers.get(right)
    if maker is None or maker.operation != "concat" or left not in tape.varying or right not in to:
        return None
    if len(right.shape) == 3:  # a product of blocks has the columns of all matrices in each block
        return None
    parts = tape.partition(d, [(matrix.shape[-1],) for matrix in maker.variables])
    chosen = [(matrix, part) for matrix, part in zip(maker.variables, parts, strict=True) if matrix in to]
    if len(chosen) == len(parts):
        return None
    matrices = [matrix for matrix, _ in chosen]
    together = tape.concat([part for _, part in chosen]) if len(chosen) > 1 else chosen[0][1]
    made = tape.one("outer", left, together, shape=(*right.shape[:-1], *together.shape))
    pieces = tape.partition(made, [matrix.shape for matrix in matrices]) if len(chosen) > 1 else (made,)
    return list(zip(matrices, pieces, strict=True))


def _of_one(gradients: Gradients) -> Variable:
    (gradient,) = gradients
    assert gradient is not None
    return gradient


def _scaling(factor: Callable[[Tape, Variable, Variable], Operand]) -> Rule:
    """The rule of a unary operation whose gradient is the result's times a factor of operand and result.

    The factor is an operand of one multiplication: it needs no gradient, so it can be computed ahead of the loop.
    """

    def rule(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
        (x,), (y,) = equation.variables, equation.results
        return [lambda: tape.multiply(_of_one(gradients), factor(tape, x, y))]

    return rule


def _cosine_slope(t: Tape, x: Variable, y: Variable) -> Operand:
    return t.negative(t.elementwise("sin", x))


def _sign(t: Tape, x: Variable, y: Variable) -> Operand:
    return t.where(t.elementwise("greater", x, 0.0), 1.0, t.where(t.elementwise("less", x, 0.0), -1.0, 0.0))


_FACTORS: dict[str, Callable[[Tape, Variable, Variable], Operand]] = {
    "sigmoid": lambda t, x, y: t.multiply(y, t.subtract(1.0, y)),
    "tanh": lambda t, x, y: t.subtract(1.0, t.multiply(y, y)),
    "exp": lambda t, x, y: y,
    "log": lambda t, x, y: t.divide(1.0, x),
    "softplus": lambda t, x, y: t.elementwise("sigmoid", x),
    "sqrt": lambda t, x, y: t.divide(0.5, y),
    "abs": _sign,
    "sin": lambda t, x, y: t.elementwise("cos", x),
    "cos": _cosine_slope,
}


def _relu(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """Nothing passes where the result is 0; where it is NaN, for which nothing holds, the gradient does."""
    d, y = _of_one(gradients), equation.results[0]
    return [lambda: tape.where(tape.elementwise("less_equal", y, 0.0), 0.0, d)]


def _negative(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: tape.negative(_of_one(gradients))]


def _same(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: _of_one(gradients)] * len(equation.operands)


def _subtract(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    d, b = _of_one(gradients), equation.operands[1]
    # What was broadcast is added up first: less is left to negate.
    return [lambda: d, lambda: tape.negative(tape.fitted(d, b) if isinstance(b, Variable) else d)]


def _multiply(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    d, (a, b) = _of_one(gradients), equation.operands
    if a == b:
        return [lambda: tape.multiply(d, tape.multiply(2.0, a)), None]
    return [lambda: tape.multiply(d, b), lambda: tape.multiply(d, a)]


def _divide(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """Both through the reciprocal: it needs no gradient, and is one division where the divisor is a scalar."""
    d, b, y = _of_one(gradients), equation.operands[1], equation.results[0]
    return [
        lambda: tape.multiply(d, tape.divide(1.0, b)),
        lambda: tape.multiply(d, tape.negative(tape.multiply(y, tape.divide(1.0, b)))),
    ]


def _power(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    d, (a, b), y = _of_one(gradients), equation.operands, equation.results[0]
    return [
        lambda: tape.multiply(d, _base_slope(tape, a, b, y)),
        lambda: tape.multiply(d, _exponent_slope(tape, a, b, y)),
    ]


def _base_slope(t: Tape, a: Operand, b: Operand, y: Variable) -> Operand:
    """b * a**(b-1), without a power where there is a shorter way; 0 where b is."""
    if isinstance(b, Variable):
        slope = t.multiply(b, t.elementwise("power", a, t.subtract(b, 1.0)))
        return t.where(t.elementwise("equal", b, 0.0), 0.0, slope)
    shorter: dict[float, Callable[[], Operand]] = {
        0.0: lambda: 0.0,
        1.0: lambda: 1.0,
        2.0: lambda: t.multiply(2.0, a),
        3.0: lambda: t.multiply(3.0, t.multiply(a, a)),
        0.5: lambda: t.divide(0.5, y),
        -1.0: lambda: t.negative(t.multiply(y, y)),
    }
    return shorter[b]() if b in shorter else t.multiply(b, t.elementwise("power", a, b - 1.0))


def _exponent_slope(t: Tape, a: Operand, b: Operand, y: Variable) -> Operand:
    """y * log(a); 0 where a is 0 and b is not negative."""
    if isinstance(a, Variable):
        slope = t.multiply(y, t.elementwise("log", a))
        flat = t.both(t.elementwise("equal", a, 0.0), t.elementwise("greater_equal", b, 0.0))
        return t.where(flat, 0.0, slope)
    if a == 0.0:
        return t.where(t.elementwise("greater_equal", b, 0.0), 0.0, t.multiply(y, -math.inf))
    return t.multiply(y, math.log(a) if a > 0.0 else math.nan)


def _extremum(lost: str) -> Rule:
    """minimum and maximum: to the operand that is the result, half and half where both are.

    An operand for which ``a <lost> b`` holds gets nothing; so NaN, for which nothing holds, loses no gradient.
    """

    def rule(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
        d, (a, b) = _of_one(gradients), equation.operands

        def to(mine: Operand, other: Operand) -> Operand:
            shared = tape.multiply(d, tape.where(tape.elementwise("equal", a, b), 0.5, 1.0))
            return tape.where(tape.elementwise(lost, mine, other), 0.0, shared)

        return [lambda: to(a, b), lambda: to(b, a)]

    return rule


def _clip(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """To x inside of the bounds, to the bound outside; where the bounds are swapped, to ``high``, as in torch."""
    d, (x, low, high) = _of_one(gradients), equation.operands

    def to(condition: Variable) -> Operand:
        return tape.where(condition, d, 0.0)

    compare = tape.elementwise
    return [
        lambda: to(tape.both(compare("greater_equal", x, low), compare("less_equal", x, high))),
        lambda: to(tape.both(compare("less", x, low), compare("less", low, high))),
        lambda: to(tape.either(compare("greater", x, high), compare("less", high, low))),
    ]


def _where(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    d, condition = _of_one(gradients), equation.operands[0]
    return [None, lambda: tape.where(condition, d, 0.0), lambda: tape.where(condition, 0.0, d)]


def _product(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    d, (left, right) = _of_one(gradients), equation.variables
    blocks = left.shape[0].factor("") if len(right.shape) == 3 else 0

    def to_left() -> Operand:
        if not blocks:
            return tape.one("product", d, tape.transpose(right), shape=left.shape)
        flat = (left.shape[-1] * blocks,)
        made = tape.one("product", tape.heads(d, int(blocks)), tape.transpose(right), shape=flat)
        return tape.heads(made, int(blocks))

    def to_right() -> Operand:
        if left in tape.varying:
            return tape.one("outer", left, d, shape=right.shape)
        if len(left.shape) == 1:
            return tape.one("outer_constant", left, d, shape=right.shape)
        return tape.one("product", tape.transpose(left), d, shape=right.shape)

    return [to_left, to_right]


def _transpose(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: tape.transpose(_of_one(gradients))]


def _cut(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """split and partition: the parts' gradients side by side, zeros for a part that nothing depends on."""
    pairs = zip(gradients, equation.results, strict=True)
    return [lambda: tape.concat([tape.expand(0.0, part.shape) if d is None else d for d, part in pairs])]


def _concat(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    parts = tape.partition(_of_one(gradients), [shape_of(operand) for operand in equation.operands])
    return [lambda part=part: part for part in parts]  # type: ignore[misc]  # the default binds the loop's variable


def _heads_back(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: tape.flatten(_of_one(gradients))]


def _mean(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    shape = equation.variables[0].shape
    count = tape.total(tape.expand(1.0, shape))
    return [lambda: tape.expand(tape.multiply(_of_one(gradients), tape.divide(1.0, count)), shape)]


def _sum(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: tape.expand(_of_one(gradients), equation.variables[0].shape)]


def _max(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """To the largest feature; shared evenly where there are several."""
    (x,), y = equation.variables, equation.results[0]
    largest = tape.elementwise("equal", x, y)
    share = tape.divide(1.0, tape.total(tape.where(largest, 1.0, 0.0)))
    return [lambda: tape.multiply(_of_one(gradients), tape.where(largest, share, 0.0))]


def _cumsum(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: tape.one("reverse_cumsum", _of_one(gradients), shape=equation.results[0].shape)]


# No gradient passes these: comparisons, what chance draws, what has no operands.
UNDIFFERENTIABLE = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "mask", "eye")

RULES: Mapping[str, Rule] = {
    **{name: _scaling(factor) for name, factor in _FACTORS.items()},
    "add": _same,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "negative": _negative,
    "relu": _relu,
    "minimum": _extremum("greater"),
    "maximum": _extremum("less"),
    "clip": _clip,
    "where": _where,
    "product": _product,
    "transpose": _transpose,
    "split": _cut,
    "partition": _cut,
    "concat": _concat,
    "heads": _heads_back,
    "mean": _mean,
    "sum": _sum,
    "max": _max,
    "cumsum": _cumsum,
    "scalar": _same,
}
