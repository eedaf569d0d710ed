"""The operation table in ONNX: each operation of a program as nodes of a graph.

A value has the dimensions of its rows first, (T, batch, …) over all steps or (batch, …) in one step, and then its own.
A varying scalar has one feature, as in the engines. A value that is computed from parameters alone has no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.onnx.exporting.graph import GraphWriter
from recurra.program import OPERATIONS, Equation, Shape, Sizes, Variable


@dataclass(frozen=True)
class RowDimensions:
    """The dimensions that the rows of a varying value have.

    Attributes:
        count: 2 over all steps, 1 in one step.
        sizes: gives the name of their sizes, a vector of int64.
    """

    count: int
    sizes: Callable[[], str]


@dataclass(frozen=True)
class Use:
    """One equation to be written to a graph.

    Attributes:
        graph: the graph that takes the nodes.
        equation: the equation.
        inputs: the operands' names.
        varying: whether each operand has rows.
        rows: the rows of the results, and of the operands that have some.
        sizes: the numbers of the program's symbols.
    """

    graph: GraphWriter
    equation: Equation
    inputs: tuple[str, ...]
    varying: tuple[bool, ...]
    rows: RowDimensions
    sizes: Sizes

    def shape(self, position: int) -> Shape:
        """An operand's own shape, without its rows, in symbols."""
        operand = self.equation.operands[position]
        return operand.shape if isinstance(operand, Variable) else ()

    def numbers(self, shape: Shape) -> list[int]:
        """A shape in numbers."""
        return [size.value(self.sizes) for size in shape]

    @property
    def result_shape(self) -> list[int]:
        """The first result's own shape, without its rows, in numbers."""
        return self.numbers(self.equation.results[0].shape)

    def results(self) -> list[str]:
        """New names for the results."""
        return [self.graph.name_of(variable) for variable in self.equation.results]

    def node(self, operator: str, *inputs: str, **attributes: object) -> list[str]:
        """Add the node that computes the results, and return their names."""
        return self.graph.nodes_of(operator, inputs, self.results(), **attributes)

    def spread(self, value: str, own: Iterable[int]) -> str:
        """Repeat a value without rows in every row."""
        shape = self.graph.node("Concat", self.rows.sizes(), self.graph.whole(*own), axis=0)
        return self.graph.node("Expand", value, shape)


OperationWriter = Callable[[Use], list[str]]

# Operators whose names are not those of the operations with a capital letter.
_NAMES = {
    "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow", "negative": "Neg", "minimum": "Min",
    "maximum": "Max", "less_equal": "LessOrEqual", "greater_equal": "GreaterOrEqual",
}  # fmt: skip
_REDUCTIONS = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax"}


def _met(use: Use) -> list[str]:
    """The operands of an elementwise operation; beside heads, a row's single number gets one more dimension."""
    if len(use.equation.results[0].shape) < 2:
        return list(use.inputs)
    return [
        use.graph.node("Unsqueeze", name, use.graph.whole(-1)) if varies and not use.shape(position) else name
        for position, (name, varies) in enumerate(zip(use.inputs, use.varying, strict=True))
    ]


def operator_of(operation: str) -> str:
    """The name of the operator that computes an elementwise operation, and broadcasts as it does."""
    return _NAMES.get(operation, operation.capitalize())


def _one_operator(use: Use) -> list[str]:
    return use.node(operator_of(use.equation.operation), *_met(use))


def _softplus(use: Use) -> list[str]:
    """log(1 + exp(x)) without overflow; several nodes in float64, as onnxruntime's operator takes float32 alone."""
    [x], graph = use.inputs, use.graph
    if graph.is_single:
        return use.node("Softplus", x)
    small = graph.node("Exp", graph.node("Neg", graph.node("Abs", x)))
    rest = graph.node("Log", graph.node("Add", small, graph.number(1.0)))
    return use.node("Add", graph.node("Max", x, graph.number(0.0)), rest)


# Cody 1969, "Rational Chebyshev approximations for the error function", with the coefficients of his CALERF: numerator
# and denominator of erf(x)/x in x² up to 0.46875, and of erfc(x)·exp(x²) in x beyond; the highest power comes first.
_NEAR = (
    (0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947),
    (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062),
)
_FAR = (
    (
        2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131,
        881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725,
    ),
    (
        1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019, 3290.79923573345963,
        4362.61909014324716, 3439.36767414372164, 1230.33935480374942,
    ),
)  # fmt: skip


def _erf(use: Use) -> list[str]:
    """erf(x); several nodes in float64, as onnxruntime's operator takes float32 alone."""
    [x], graph = use.inputs, use.graph
    if graph.is_single:
        return use.node("Erf", x)
    size = graph.node("Min", graph.node("Abs", x), graph.number(6.0))  # erf is 1 from there on
    square = graph.node("Mul", size, size)
    near = graph.node("Mul", size, _ratio(graph, square, _NEAR))
    rest = graph.node("Mul", graph.node("Exp", graph.node("Neg", square)), _ratio(graph, size, _FAR))
    far = graph.node("Sub", graph.number(1.0), rest)
    small = graph.node("LessOrEqual", size, graph.number(0.46875))
    return use.node("Mul", graph.node("Where", small, near, far), graph.node("Sign", x))


def _ratio(graph: GraphWriter, x: str, polynomials: Iterable[Sequence[float]]) -> str:
    """The quotient of two polynomials in x."""
    values = []
    for first, *others in polynomials:
        value = graph.number(first)
        for coefficient in others:
            value = graph.node("Add", graph.node("Mul", value, x), graph.number(coefficient))
        values.append(value)
    return graph.node("Div", *values)


def _clip(use: Use) -> list[str]:
    x, low, high = _met(use)
    return use.node("Min", use.graph.node("Max", x, low), high)


def _not_equal(use: Use) -> list[str]:
    return use.node("Not", use.graph.node("Equal", *_met(use)))


def _reduction(use: Use) -> list[str]:
    return use.node(_REDUCTIONS[use.equation.operation], *use.inputs, use.graph.whole(-1), keepdims=1)


def _reduction_along(use: Use) -> list[str]:
    operator = _REDUCTIONS[use.equation.operation.removesuffix("_along")]
    return use.node(operator, *use.inputs, use.graph.whole(int(use.equation.attributes["axis"])), keepdims=0)


def _broadcast(use: Use) -> list[str]:
    [x], graph = use.inputs, use.graph
    if use.equation.attributes["axis"] == 1 and len(use.shape(0)) == 1:
        x = graph.node("Unsqueeze", x, graph.whole(1))
    return use.node("Expand", x, graph.whole(*use.result_shape))


def _running_sum(use: Use) -> list[str]:
    return use.node("CumSum", *use.inputs, use.graph.index(-1))


def _rows_of_operand(use: Use) -> int:
    return use.rows.count if use.varying[0] else 0


def _transpose(use: Use) -> list[str]:
    rows = _rows_of_operand(use)
    return use.node("Transpose", *use.inputs, perm=[*range(rows), rows + 1, rows])


def _product(use: Use) -> list[str]:
    rows = _rows_of_operand(use)
    if not rows or len(use.shape(0)) < 2:
        return use.node("MatMul", *use.inputs)
    x, matrices = use.inputs  # (…, heads, k) and (heads, k, columns)
    graph = use.graph
    product = graph.node("MatMul", graph.node("Unsqueeze", x, graph.whole(-2)), matrices)
    return use.node("Reshape", product, graph.whole(*[0] * rows, *use.result_shape))


def _heads(use: Use) -> list[str]:
    shape = [0] * _rows_of_operand(use) + use.result_shape
    return use.node("Reshape", *use.inputs, use.graph.whole(*shape))


def _cut(use: Use) -> list[str]:
    if len(use.equation.results) == 1:
        return list(use.inputs)
    widths = [use.numbers(variable.shape)[-1] for variable in use.equation.results]
    return use.node("Split", *use.inputs, use.graph.whole(*widths), axis=-1)


def _concat(use: Use) -> list[str]:
    if len(use.inputs) == 1:
        return list(use.inputs)
    inputs = list(use.inputs)
    for position, varies in enumerate(use.varying):
        if any(use.varying) and not varies:
            inputs[position] = use.spread(inputs[position], use.numbers(use.shape(position)))
    return use.node("Concat", *inputs, axis=-1)


def _eye(use: Use) -> list[str]:
    [size, _] = use.result_shape
    return [use.graph.store.constant("eye", np.eye(size, dtype=use.graph.store.dtype))]


def _mask(use: Use) -> list[str]:
    """A mask, which is random in training, as its mean."""
    mean = use.graph.number(float(use.equation.attributes["mean"]))
    return [use.spread(mean, use.result_shape or [1])]


def _same(use: Use) -> list[str]:
    return list(use.inputs)


WRITERS: Mapping[str, OperationWriter] = {
    **{name: _one_operator for name, row in OPERATIONS.items() if row.elementwise},
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **{f"{name}_along": _reduction_along for name in _REDUCTIONS},
    "broadcast": _broadcast,
    "softplus": _softplus,
    "erf": _erf,
    "clip": _clip,
    "not_equal": _not_equal,
    "product": _product,
    "transpose": _transpose,
    "split": _cut,
    "partition": _cut,
    "concat": _concat,
    "heads": _heads,
    "cumsum": _running_sum,
    "eye": _eye,
    "scalar": _same,
    "detach": _same,
    "mask": _mask,
}
