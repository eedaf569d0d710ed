"""The operation table: the one list of what a program may contain.

A row holds what every reader of a program must know of an operation: its operands and their kinds, its attributes, the
relation between shapes, its printed form. Each engine has its own table of what an operation computes.

Shapes are those of one example at one time step: ``()`` a scalar, ``(size,)`` a vector of features, and for
parameters also ``(rows, columns)``. A value *varies* if it depends on the input, a state or chance; the others are
parameters and what is computed from parameters alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from recurra.program.sizes import Shape, Size
from recurra.program.solver import Mismatch, Solver

AttributeValue = float | int | str
ShapeRule = Callable[["Usage"], None]


class Usage(NamedTuple):
    """One use of an operation, as its shape rule sees it: values by their numbers in a solver."""

    solver: Solver
    operands: Sequence[int]
    results: Sequence[int]
    varying: Sequence[bool]
    attributes: Mapping[str, AttributeValue]

    def operand(self, position: int) -> Shape | None:
        """The shape of an operand, as far as it is known."""
        return self.solver.shape(self.operands[position])

    def result(self) -> Shape | None:
        """The shape of the first result, as far as it is known."""
        return self.solver.shape(self.results[0])


class Operation(NamedTuple):
    """A row of the table.

    Attributes:
        name: its name in programs and files.
        operands: the kind of each operand, ``"real"`` or ``"bool"``; None for any number of reals, at least one.
        result: the kind of the results.
        rule: states the certain facts about the shapes of operands and results; called until nothing new follows.
        results: the number of results; None for any number.
        elementwise: whether it works on each feature alone (scalars meet every feature).
        attributes: for each attribute, a function that tells whether a value is valid.
        text: its printed form, with ``{0}`` for the first operand; empty for the form of a function call.
        binding: its precedence when printed, as in Python: larger binds more tightly; 9 for a function call.
        function: the name of the function of the language; empty for the operation's own name.
        once: whether its operands must be computed from parameters alone, once per call.
    """

    name: str
    operands: tuple[str, ...] | None
    rule: ShapeRule
    result: str = "real"
    results: int | None = 1
    elementwise: bool = False
    attributes: Mapping[str, Callable[[AttributeValue], bool]] = MappingProxyType({})
    text: str = ""
    binding: int = 9
    function: str = ""
    once: bool = False


def _elementwise(use: Usage) -> None:
    solver = use.solver
    shapes = [solver.shape(value) for value in use.operands]
    features = next((shape for shape in shapes if shape), None)
    if features is not None:  # the result has this shape, and so has every operand that is no scalar
        for value, shape in zip(use.operands, shapes, strict=True):
            if shape:
                solver.need(value, features)
        solver.need(use.results[0], features)
    result = use.result()
    if result is None:
        if all(shape == () for shape in shapes):
            solver.need(use.results[0], ())
        return
    for value, shape in zip(use.operands, shapes, strict=True):
        if shape or result == ():
            solver.need(value, result)
    unknown = [value for value, shape in zip(use.operands, shapes, strict=True) if shape is None]
    if len(unknown) == 1 and all(shape in ((), None) for shape in shapes):
        solver.need(unknown[0], result)


def _product(use: Usage) -> None:
    solver, (a, b) = use.solver, use.operands
    left = solver.shape(a)
    if left is None:
        result = use.result()
        if not use.varying[0] and result is None:
            return
        left = (solver.unknown(),) if use.varying[0] or result is None else (*result[:-1], solver.unknown())
        solver.need(a, left)
    if not left:
        raise Mismatch(a, left, (solver.unknown(),))
    right = solver.shape(b)
    columns = right[-1] if right else solver.unknown()
    headed = use.varying[0] and len(left) == 2
    if headed and left[0].symbols:
        raise Mismatch(a, left, (solver.unknown(),))  # the count of heads must be a number
    solver.need(b, (*left, columns) if headed else (left[-1], columns))
    if headed:
        solver.need(use.results[0], (columns * left[0].factor(""),))
    else:
        solver.need(use.results[0], (*left[:-1], columns))


def _transpose(use: Usage) -> None:
    solver = use.solver
    for source, target in ((use.operands[0], use.results[0]), (use.results[0], use.operands[0])):
        shape = solver.shape(source)
        if shape is not None:
            if len(shape) != 2:
                raise Mismatch(source, shape, (solver.unknown(), solver.unknown()))
            solver.need(target, (shape[1], shape[0]))


def _vector_if_varying(use: Usage) -> Shape | None:
    """The shape of the only operand; a varying one of unknown shape becomes a vector."""
    shape = use.operand(0)
    if shape is None and use.varying[0]:
        shape = (use.solver.unknown(),)
        use.solver.need(use.operands[0], shape)
    if shape == ():
        raise Mismatch(use.operands[0], shape, (use.solver.unknown(),))
    return shape


def _split(use: Usage) -> None:
    solver = use.solver
    shape = _vector_if_varying(use)
    use.solver.same(use.results)
    part = use.result()
    if shape is not None:
        for result in use.results:
            solver.need(result, (*shape[:-1], shape[-1] / len(use.results)))
    elif part is not None and part:
        solver.need(use.operands[0], (*part[:-1], part[-1] * len(use.results)))


def _partition(use: Usage) -> None:
    solver = use.solver
    shapes = [solver.shape(result) for result in use.results]
    leading = next((shape[:-1] for shape in shapes if shape), ())
    for result, shape in zip(use.results, shapes, strict=True):
        if shape is not None:
            solver.need(result, (*leading, shape[-1] if shape else solver.unknown()))
    if all(shapes):
        total = sum((shape[-1] for shape in shapes if shape), Size(()))
        solver.need(use.operands[0], (*leading, total))


def _concat(use: Usage) -> None:
    solver = use.solver
    for value, varying in zip(use.operands, use.varying, strict=True):
        if solver.shape(value) is None and varying:
            solver.need(value, (solver.unknown(),))
    shapes = [solver.shape(value) for value in use.operands]
    result = use.result()
    leading = next((shape[:-1] for shape in [*shapes, result] if shape), None)
    for value, shape in zip(use.operands, shapes, strict=True):
        if shape == ():
            raise Mismatch(value, shape, (solver.unknown(),))
        if shape is not None and leading is not None:
            solver.need(value, (*leading, shape[-1]))
    total = sum((shape[-1] for shape in shapes if shape), Size(()))
    unknown = [value for value, shape in zip(use.operands, shapes, strict=True) if shape is None]
    if not unknown and leading is not None:
        solver.need(use.results[0], (*leading, total))
    elif len(unknown) == 1 and result:
        solver.need(unknown[0], (*result[:-1], result[-1] - total))


def _heads(use: Usage) -> None:
    shape = _vector_if_varying(use)
    if shape is None:
        shape = (use.solver.unknown(),)
    use.solver.need(use.operands[0], (shape[-1],))
    count = int(use.attributes["count"])
    use.solver.need(use.results[0], (Size.constant(count), shape[-1] / count))


def _reduce(use: Usage) -> None:
    shape = _vector_if_varying(use) or (use.solver.unknown(),)
    use.solver.need(use.operands[0], (shape[-1],))
    use.solver.need(use.results[0], ())


def _along(use: Usage) -> None:
    """A matrix becomes a vector: axis 0 is the one of the rows, so that a number for each column is left."""
    solver, shape = use.solver, use.operand(0)
    if shape is None:
        shape = (solver.unknown(), solver.unknown())
    if len(shape) != 2:
        raise Mismatch(use.operands[0], shape, (solver.unknown(), solver.unknown()))
    solver.need(use.operands[0], shape)
    solver.need(use.results[0], (shape[1 - int(use.attributes["axis"])],))


def _broadcast(use: Usage) -> None:
    """A vector, or a matrix of one row or column, repeated along an axis; the size of the result there is free."""
    solver, axis = use.solver, int(use.attributes["axis"])
    shape, result = use.operand(0), use.result()
    if result is None or len(result) != 2:
        raise Mismatch(use.results[0], result or (), (solver.unknown(), solver.unknown()))
    one, kept = Size.constant(1), result[1 - axis]
    along = (one, kept) if axis == 0 else (kept, one)
    solver.need(use.operands[0], along if shape is not None and len(shape) == 2 else (kept,))


def _running(use: Usage) -> None:
    shape = _vector_if_varying(use) or (use.solver.unknown(),)
    use.solver.need(use.operands[0], (shape[-1],))
    use.solver.need(use.results[0], (shape[-1],))


def _eye(use: Usage) -> None:
    shape = use.result()
    size = shape[0] if shape else use.solver.unknown()
    use.solver.need(use.results[0], (size, size))


def _scalar(use: Usage) -> None:
    use.solver.need(use.operands[0], ())
    use.solver.need(use.results[0], ())


def _detach(use: Usage) -> None:
    for shape, other in ((use.operand(0), use.results[0]), (use.result(), use.operands[0])):
        if shape is not None:
            use.solver.need(other, shape)


def _mask(use: Usage) -> None:
    """The shape follows from the result's uses; a mask is drawn as a row of features at most."""
    shape = use.result()
    if shape is not None and len(shape) > 1:
        raise Mismatch(use.results[0], shape, (use.solver.unknown(),))


def _unary(name: str, text: str = "", binding: int = 9) -> Operation:
    return Operation(name, ("real",), _elementwise, elementwise=True, text=text, binding=binding)


def _binary(name: str, text: str = "", binding: int = 9, result: str = "real") -> Operation:
    return Operation(name, ("real", "real"), _elementwise, result, elementwise=True, text=text, binding=binding)


def _finite(value: AttributeValue) -> bool:
    if type(value) is int:
        return abs(value) < 2**53
    return type(value) is float and math.isfinite(value)


_MASK_ATTRIBUTES: dict[str, Callable[[AttributeValue], bool]] = {
    "probability": lambda value: _finite(value) and 0 <= float(value) <= 1,
    "on": _finite,  # the value where the mask is set, in training; elsewhere it is 0
    "mean": _finite,  # the value everywhere, outside training
    "per": lambda value: value in ("step", "sequence"),
}

_AXIS: dict[str, Callable[[AttributeValue], bool]] = {"axis": lambda value: type(value) is int and value in (0, 1)}

_ROWS = [
    _binary("add", "{0} + {1}", 5),
    _binary("subtract", "{0} - {1}", 5),
    _binary("multiply", "{0} * {1}", 6),
    _binary("divide", "{0} / {1}", 6),
    _binary("power", "{0} ** {1}", 8),
    _unary("negative", "-{0}", 7),
    *(_unary(name) for name in ("sigmoid", "tanh", "relu", "exp", "log", "softplus", "sqrt", "abs", "sin", "cos")),
    *(_unary(name) for name in ("erf", "sign", "floor")),
    _binary("minimum"),
    _binary("maximum"),
    Operation("clip", ("real", "real", "real"), _elementwise, elementwise=True),
    _binary("less", "{0} < {1}", 3, "bool"),
    _binary("less_equal", "{0} <= {1}", 3, "bool"),
    _binary("greater", "{0} > {1}", 3, "bool"),
    _binary("greater_equal", "{0} >= {1}", 3, "bool"),
    _binary("equal", "{0} == {1}", 3, "bool"),
    _binary("not_equal", "{0} != {1}", 3, "bool"),
    Operation("where", ("bool", "real", "real"), _elementwise, elementwise=True),
    Operation("product", ("real", "real"), _product, text="{0} @ {1}", binding=6),
    Operation("transpose", ("real",), _transpose, text="{0}.T", binding=9),
    Operation("split", ("real",), _split, results=None),
    Operation("partition", ("real",), _partition, results=None),
    Operation("concat", None, _concat),
    Operation("heads", ("real",), _heads, attributes={"count": lambda v: type(v) is int and 0 < v <= 65536}),
    Operation("mean", ("real",), _reduce),
    Operation("sum", ("real",), _reduce),
    Operation("max", ("real",), _reduce),
    *(
        Operation(f"{name}_along", ("real",), _along, attributes=_AXIS, function=name, once=True)
        for name in ("sum", "mean", "max")
    ),
    Operation("broadcast", ("real",), _broadcast, attributes=_AXIS, once=True),
    Operation("cumsum", ("real",), _running),
    Operation("eye", (), _eye),
    Operation("scalar", ("real",), _scalar),
    Operation("detach", ("real",), _detach),
    Operation("mask", (), _mask, attributes=_MASK_ATTRIBUTES),
]

OPERATIONS: Mapping[str, Operation] = {row.name: row for row in _ROWS}
