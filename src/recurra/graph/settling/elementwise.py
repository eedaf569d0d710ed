"""Elementwise operators as native steps, on matrices to which the arrays' dimensions collapse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from recurra.engines.steps import Operations
from recurra.graph.running import NodeStep
from recurra.graph.settling.node import SettlingNode, is_float, matrix_of, scalar_of, settler
from recurra.graph.table import Array

# Operators that are one operation of the engine's table.
_SAME = {
    "Abs": "abs", "Cos": "cos", "Erf": "erf", "Exp": "exp", "Floor": "floor", "Log": "log", "Neg": "negative",
    "Relu": "relu", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Softplus": "softplus", "Sqrt": "sqrt",
    "Tanh": "tanh",
}  # fmt: skip
_TWO = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide", "Max": "maximum", "Min": "minimum"}


class _Writer:
    """Writes operations on array 0, or array 0 and 1, whose last result is the array behind them."""

    def __init__(self, arrays: int, literals: Sequence[float]) -> None:
        self._result, self._next = arrays, 1 + arrays + len(literals)
        self._literals = literals
        self.each: list[tuple[str, int, tuple[int, ...]]] = []

    def literal(self, number: int) -> int:
        """The number of a literal."""
        return 1 + self._result + number

    def __call__(self, name: str, *operands: int, last: bool = False) -> int:
        """Add an operation, and return the number of its result."""
        result = self._result if last else self._next
        self._next += not last
        self.each.append((name, result, operands))
        return result

    def done(self) -> Operations:
        """The operations."""
        return Operations(tuple(self.each), tuple(self._literals))


def _leaky(alpha: float) -> Operations:
    write = _Writer(1, [0.0, alpha])
    is_above = write("greater_equal", 0, write.literal(0))
    write("where", is_above, 0, write("multiply", 0, write.literal(1)), last=True)
    return write.done()


def _hard_sigmoid(alpha: float, beta: float, *, times_x: bool = False) -> Operations:
    write = _Writer(1, [alpha, beta, 0.0, 1.0])
    line = write("add", write("multiply", 0, write.literal(0)), write.literal(1))
    bounded = write("minimum", write("maximum", line, write.literal(2)), write.literal(3), last=not times_x)
    if times_x:
        write("multiply", 0, bounded, last=True)
    return write.done()


def _swish(alpha: float) -> Operations:
    write = _Writer(1, [alpha])
    write("multiply", 0, write("sigmoid", write("multiply", 0, write.literal(0))), last=True)
    return write.done()


def _clip(low: float | None, high: float | None) -> Operations | None:
    if low is None and high is None:
        return None
    write = _Writer(1, [each for each in (low, high) if each is not None])
    value = 0
    if low is not None:
        value = write("maximum", 0, write.literal(0), last=high is None)
    if high is not None:
        write("minimum", value, write.literal(low is not None), last=True)
    return write.done()


def _power(exponent: float | None) -> Operations | None:
    if exponent == 2:
        return Operations((("multiply", 1, (0, 0)),))
    return Operations((("sqrt", 1, (0,)),)) if exponent == 0.5 else None


def unary(step: NodeStep, constants: Sequence[Array | None]) -> Operations | None:
    """The operations of a node that computes from one array; None if it is another kind of node.

    Args:
        step: the node.
        constants: its inputs that never change; None for the others and those left out.
    """
    read = step.attributes.get
    if step.operator in _SAME and len(step.inputs) == 1:
        return Operations(((_SAME[step.operator], 1, (0,)),))
    if step.operator == "Clip" and len(step.inputs) == 1:
        return _clip(read("min"), read("max"))
    if step.operator == "Clip":
        given = [(bool(name), scalar_of(each)) for name, each in zip(step.inputs[1:], constants[1:], strict=True)]
        is_known = all(number is not None for has, number in given if has)
        return _clip(*[number for _, number in [*given, (False, None)][:2]]) if is_known else None
    if step.operator == "Pow" and step.inputs[0] and constants[0] is None:
        exponent = constants[1]
        return None if exponent is None or exponent.ndim else _power(scalar_of(exponent))
    makers: dict[str, Callable[[], Operations]] = {
        "LeakyRelu": lambda: _leaky(read("alpha", 0.01)),
        "HardSigmoid": lambda: _hard_sigmoid(read("alpha", 0.2), read("beta", 0.5)),
        "HardSwish": lambda: _hard_sigmoid(1 / 6, 0.5, times_x=True),
        "Swish": lambda: _swish(read("alpha", 1.0)),
    }
    return makers[step.operator]() if step.operator in makers else None


@settler(*_SAME, "Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Pow", "Swish")
def one_array(node: SettlingNode) -> Sequence[Array] | None:
    """A function of one array."""
    x = node.input(0)
    operations = unary(node.step, [node.known(number) for number in range(len(node.inputs))])
    if x is None or operations is None or not is_float(x):
        return None
    return _run(node, [x], operations)


@settler(*_TWO)
def two_arrays(node: SettlingNode) -> Sequence[Array] | None:
    """A function of two arrays that broadcast."""
    if len(node.inputs) != 2 or not is_float(*node.inputs):
        return None
    a, b = node.inputs
    if a is not None and a is b:
        return _run(node, [a], Operations(((_TWO[node.operator], 1, (0, 0)),)))
    return _run(node, [each for each in (a, b) if each is not None], Operations(((_TWO[node.operator], 2, (0, 1)),)))


@settler("BatchNormalization")
def batch_normalization(node: SettlingNode) -> Sequence[Array] | None:
    """x times a factor for each channel plus a number for each channel, all known."""
    x, around = node.input(0), [node.known(number) for number in range(1, 5)]
    if x is None or not is_float(x, *around) or x.ndim < 2 or any(each.shape != x.shape[1:2] for each in around):  # type: ignore[union-attr]
        return None
    scale, shift, mean, variance = (np.asarray(each, np.float64) for each in around)
    factor = scale / np.sqrt(variance + node.attribute("epsilon", 1e-5))
    ends = (-1, *(1,) * (x.ndim - 2))
    pair = [each.astype(x.dtype).reshape(ends) for each in (factor, shift - mean * factor)]
    return _run(node, [x, *pair], Operations((("multiply", 4, (0, 1)), ("add", 3, (4, 2)))))


def _run(node: SettlingNode, arrays: Sequence[Array], operations: Operations) -> list[Array] | None:
    """A step of these operations, whose last array is the result; None if the arrays do not collapse to matrices."""
    found = matrices_of(node, arrays)
    if found is None:
        return None
    shape, matrices = found
    y = node.array(shape, arrays[0].dtype)
    rows = max(each.shape[0] for each in matrices)
    node.runs.append(node.maker.elementwise([*matrices, y.reshape(rows, -1)], operations))
    return [y]


def matrices_of(node: SettlingNode, arrays: Sequence[Array]) -> tuple[tuple[int, ...], list[Array]] | None:
    """The shape to which arrays broadcast, and each as a matrix that broadcasts to the same; None if there are none."""
    try:
        shape = np.broadcast_shapes(*(each.shape for each in arrays))
    except ValueError:
        return None
    rows = _rows(shape, arrays)
    if rows is None:
        return None
    columns = math.prod(shape) // rows
    matrices = []
    for array in arrays:
        sizes = (rows if _covers(array, shape, rows, True) else 1, columns if _covers(array, shape, rows, False) else 1)
        matrix = matrix_of(array, *sizes)
        matrices.append(node.contiguous(array).reshape(sizes) if matrix is None else matrix)
    return shape, matrices


def _rows(shape: Sequence[int], arrays: Sequence[Array]) -> int | None:
    """The rows of a matrix in which each array is whole, a row, a column or a number; None if there is none."""
    whole = [axis for axis in range(len(shape)) if shape[axis] > 1]
    for cut in range(len(whole) + 1):
        if all(_fits(_padded(array, len(shape)), shape, whole, cut) for array in arrays):
            return math.prod(shape[axis] for axis in whole[:cut])
    return None


def _padded(array: Array, dimensions: int) -> tuple[int, ...]:
    return (*(1,) * (dimensions - array.ndim), *array.shape)


def _fits(sizes: Sequence[int], shape: Sequence[int], whole: Sequence[int], cut: int) -> bool:
    """Whether an array has all or none of the dimensions before the cut, and of those after it."""
    return all(len({sizes[axis] == shape[axis] for axis in part}) <= 1 for part in (whole[:cut], whole[cut:]))


def _covers(array: Array, shape: Sequence[int], rows: int, is_first: bool) -> bool:
    """Whether an array has the dimensions of rows, or those of columns."""
    sizes, count = _padded(array, len(shape)), 1
    axes = []
    for axis, size in enumerate(shape):
        is_row = count < rows
        count *= size
        if size > 1 and is_row == is_first:
            axes.append(axis)
    return all(sizes[axis] == shape[axis] for axis in axes)
