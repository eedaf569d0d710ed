"""The derivative table: for each operation, the gradients of its operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from recurra.compiler.tape import Tape, shape_of
from recurra.program import Equation, Operand, Variable

Gradients = Sequence[Variable | None]
Contribution = Callable[[], Operand] | None  # called only where it is wanted; None for no contribution
DerivativeRule = Callable[[Tape, Equation, Gradients], Sequence[Contribution]]


def contributions(
    tape: Tape, equation: Equation, gradients: Gradients, to: Collection[Variable]
) -> list[tuple[Variable, Operand]]:
    """The contributions of an equation to the gradients of its operands.

    Args:
        tape: the tape to write on; the equation's operands and results must be known there.
        equation: an equation of the program.
        gradients: the gradients of its results; None for a result that nothing depends on, but not for all.
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
    """The wanted gradients of matrices that were merged into one; None where nothing was merged or all are wanted."""
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
    gradient = tape.one("outer", left, together, shape=(*right.shape[:-1], *together.shape))
    pieces = tape.partition(gradient, [matrix.shape for matrix in matrices]) if len(chosen) > 1 else (gradient,)
    return list(zip(matrices, pieces, strict=True))


def _of_one(gradients: Gradients) -> Variable:
    (gradient,) = gradients
    assert gradient is not None
    return gradient


def _scaling(factor: Callable[[Tape, Variable, Variable], Operand]) -> DerivativeRule:
    """The rule of a unary operation: the result's gradient times a factor, computed from operand and result.

    The factor depends on no gradient, so it can be computed ahead of the loop.
    """

    def rule(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
        (x,), (y,) = equation.variables, equation.results
        return [lambda: tape.multiply(_of_one(gradients), factor(tape, x, y))]

    return rule


def _cosine_slope(t: Tape, x: Variable, y: Variable) -> Operand:
    return t.negative(t.elementwise("sin", x))


def _erf_slope(t: Tape, x: Variable, y: Variable) -> Operand:
    return t.multiply(2 / math.sqrt(math.pi), t.elementwise("exp", t.negative(t.multiply(x, x))))


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
    "erf": _erf_slope,
}


def _relu(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """No gradient passes where the result is 0. It passes where the result is NaN: no comparison with NaN holds."""
    d, y = _of_one(gradients), equation.results[0]
    return [lambda: tape.where(tape.elementwise("less_equal", y, 0.0), 0.0, d)]


def _negative(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: tape.negative(_of_one(gradients))]


def _same(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: _of_one(gradients)] * len(equation.operands)


def _subtract(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    d, b = _of_one(gradients), equation.operands[1]
    # A broadcast operand's gradient is summed first, so that fewer numbers are negated.
    return [lambda: d, lambda: tape.negative(tape.fitted(d, b) if isinstance(b, Variable) else d)]


def _multiply(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    d, (a, b) = _of_one(gradients), equation.operands
    if a == b:
        return [lambda: tape.multiply(d, tape.multiply(2.0, a)), None]
    return [lambda: tape.multiply(d, b), lambda: tape.multiply(d, a)]


def _divide(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """Both gradients use the reciprocal: it depends on no gradient, and is one division if the divisor is a scalar."""
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
    """b * a**(b-1), without a power where there is a shorter way; 0 where b is 0."""
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


def _extremum(lost: str) -> DerivativeRule:
    """The rule of minimum and maximum: the gradient goes to the operand that is the result, half to each if both are.

    An operand for which ``operand <lost> other`` holds gets nothing. No comparison with NaN holds, so NaN loses no
    gradient.
    """

    def rule(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
        d, (a, b) = _of_one(gradients), equation.operands

        def to(mine: Operand, other: Operand) -> Operand:
            shared = tape.multiply(d, tape.where(tape.elementwise("equal", a, b), 0.5, 1.0))
            return tape.where(tape.elementwise(lost, mine, other), 0.0, shared)

        return [lambda: to(a, b), lambda: to(b, a)]

    return rule


def _clip(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """The gradient goes to x inside the bounds, to the bound outside; to ``high`` if they are swapped, as in torch."""
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
        product = tape.one("product", tape.heads(d, int(blocks)), tape.transpose(right), shape=flat)
        return tape.heads(product, int(blocks))

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
    """The rule of split and partition: the parts' gradients side by side, zeros for a part that nothing depends on."""
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
    """The gradient goes to the largest feature, in equal shares if there are several."""
    (x,), y = equation.variables, equation.results[0]
    largest = tape.elementwise("equal", x, y)
    share = tape.divide(1.0, tape.total(tape.where(largest, 1.0, 0.0)))
    return [lambda: tape.multiply(_of_one(gradients), tape.where(largest, share, 0.0))]


def _axis(equation: Equation) -> int:
    return int(equation.attributes["axis"])


def _repeated(tape: Tape, d: Variable, like: Equation) -> Variable:
    """A vector repeated along the axis that an equation reduces."""
    return tape.one("broadcast", d, shape=like.variables[0].shape, axis=_axis(like))


def _sum_along(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: _repeated(tape, _of_one(gradients), equation)]


def _mean_along(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    count = tape.total(tape.expand(1.0, (equation.variables[0].shape[_axis(equation)],)))

    def share() -> Operand:
        mean = tape.multiply(_of_one(gradients), tape.divide(1.0, count))
        assert isinstance(mean, Variable)
        return _repeated(tape, mean, equation)

    return [share]


def _max_along(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    """The gradient goes to the largest element along the axis, in equal shares if there are several."""
    (x,), y = equation.variables, equation.results[0]

    def shares() -> Operand:
        largest = tape.elementwise("equal", x, _repeated(tape, y, equation))
        ones = tape.where(largest, 1.0, 0.0)
        count = tape.one("sum_along", ones, shape=y.shape, axis=_axis(equation))
        share = tape.elementwise("divide", _of_one(gradients), count)
        return tape.where(largest, _repeated(tape, share, equation), 0.0)

    return [shares]


def _broadcast(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    source, axis = equation.variables[0], _axis(equation)

    def summed() -> Operand:
        d = _of_one(gradients)
        total = tape.one("sum_along", d, shape=(d.shape[1 - axis],), axis=axis)
        return total if len(source.shape) == 1 else tape.one("broadcast", total, shape=source.shape, axis=axis)

    return [summed]


def _cumsum(tape: Tape, equation: Equation, gradients: Gradients) -> Sequence[Contribution]:
    return [lambda: tape.one("reverse_cumsum", _of_one(gradients), shape=equation.results[0].shape)]


# No gradient passes these: comparisons and other step functions, random masks, and operations without operands.
UNDIFFERENTIABLE = (
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "sign", "floor", "detach", "mask",
    "eye",
)  # fmt: skip

RULES: Mapping[str, DerivativeRule] = {
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
    "sum_along": _sum_along,
    "mean_along": _mean_along,
    "max_along": _max_along,
    "broadcast": _broadcast,
    "cumsum": _cumsum,
    "scalar": _same,
}
