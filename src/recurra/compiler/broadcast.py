"""Broadcasting between parameters: numbers for the rows or columns of a matrix meet all of its elements, as in numpy.

A traced cell says it as it is written, ``w / sqrt(sum(w ** 2, axis=0))``. In a program an equation ``broadcast`` says
it, so that engines never meet two shapes in one elementwise equation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from recurra.compiler.rewrite import Temporaries
from recurra.program import OPERATIONS, Equation, Operand, Program, Shape, Size, Variable
from recurra.program.operations import ShapeRule, Usage
from recurra.program.solver import Mismatch

REDUCTIONS = ("sum", "mean", "max")
ALONG = tuple(f"{name}_along" for name in REDUCTIONS)

_ONE = Size.constant(1)


def traced_rule(operation: str, varying: Sequence[bool]) -> ShapeRule:
    """The shape rule of an operation as a cell writes it; between parameters it allows what `explicit` then states."""
    if any(varying):
        return OPERATIONS[operation].rule
    if OPERATIONS[operation].elementwise:
        return _elementwise
    return _RULES.get(operation, OPERATIONS[operation].rule)


def _elementwise(use: Usage) -> None:
    """State all that is certain: an operand of unknown shape may be a number, a row, a column or a matrix."""
    solver = use.solver
    shapes = [solver.shape(value) for value in use.operands]
    unknown = [value for value, shape in zip(use.operands, shapes, strict=True) if shape is None]
    result = use.result()
    if result is None:
        result = _least_result(shapes)
        if result is None or (unknown and (len(result) < 2 or _ONE in result)):
            return
        solver.need(use.results[0], result)
    for value, shape in zip(use.operands, shapes, strict=True):
        if shape or (shape == () and len(shapes) == 1):
            solver.need(value, _fitted(shape, result))
        if result == ():
            solver.need(value, ())
    if not unknown:
        solver.need(use.results[0], _least_result([solver.shape(value) for value in use.operands]) or ())
    elif len(unknown) == 1 and all(shape in ((), None) for shape in shapes):
        solver.need(unknown[0], result)


def _least_result(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of the result, from the operands that are known; None where none is, or all of these are numbers."""
    known = [shape for shape in shapes if shape]
    if not known:
        return () if all(shape == () for shape in shapes) else None
    most = max(known, key=len)
    if len(most) > 2:
        return most
    sizes = []
    for axis in range(-len(most), 0):
        along = [shape[axis] for shape in known if len(shape) >= -axis]
        sizes.append(next((size for size in along if size != _ONE), _ONE))
    return tuple(sizes)


def _fitted(shape: Shape, result: Shape) -> Shape:
    """The shape that an operand must have beside a result: a row, a column, or the result's own."""
    if len(result) != 2 or len(shape) > 2:
        return result
    if len(shape) == 1:
        return shape if shape == (_ONE,) else (result[1],)
    return tuple(own if own == _ONE else size for own, size in zip(shape, result, strict=True))


def _reduce(use: Usage) -> None:
    """The sum, mean or maximum of all elements of a vector or a matrix is a number."""
    shape = use.operand(0)
    if shape is not None and len(shape) not in (1, 2):
        raise Mismatch(use.operands[0], shape, (use.solver.unknown(),))
    use.solver.need(use.results[0], ())


def _along(use: Usage) -> None:
    """Of a vector, its only axis can be reduced; a matrix becomes a vector."""
    solver, shape, axis = use.solver, use.operand(0), int(use.attributes["axis"])
    unknown = solver.unknown()
    if shape is None and axis in (1, -2):
        shape = (unknown, solver.unknown())
        solver.need(use.operands[0], shape)
    if shape is None:
        return
    if len(shape) not in (1, 2) or not -len(shape) <= axis < len(shape):
        raise Mismatch(use.operands[0], shape, (unknown, solver.unknown()))
    solver.need(use.results[0], () if len(shape) == 1 else (shape[1 - axis % 2],))


def _index(use: Usage) -> None:
    """``v[:, None]`` is a column, ``v[None, :]`` a row; a number that was kept as one element stays a number."""
    solver, shape, axis = use.solver, use.operand(0), int(use.attributes["axis"])
    if shape is None:
        return
    if len(shape) > 1:
        raise Mismatch(use.operands[0], shape, (solver.unknown(),))
    solver.need(use.results[0], () if not shape else (_ONE, *shape) if axis % 2 == 0 else (*shape, _ONE))


_RULES: Mapping[str, ShapeRule] = {
    **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(ALONG, _along),
    "broadcast": _index,
}


def explicit(program: Program) -> Program:
    """The program, with an equation for each operand of parameters that is broadcast to a matrix."""
    varying, new = program.varying(), Temporaries(program)
    equations: list[Equation] = []
    for equation in program.equations:
        is_once = varying.isdisjoint(equation.results) and bool(equation.variables)
        equations.extend(_explicit(equation, new) if is_once else [equation])
    return replace(program, equations=tuple(equations))


def _explicit(equation: Equation, new: Temporaries) -> list[Equation]:
    operation, results = equation.operation, equation.results
    if OPERATIONS[operation].elementwise:
        return _between(equation, new)
    shape = equation.variables[0].shape
    if operation in REDUCTIONS and len(shape) == 2:
        columns = new.new(shape[1:])
        along = Equation(f"{operation}_along", equation.operands, (columns,), {"axis": 0})
        return [along, replace(equation, operands=(columns,))]
    if operation in (*ALONG, "broadcast"):
        axis = int(equation.attributes["axis"]) % 2
        if len(shape) == (2 if operation in ALONG else 1):
            return [replace(equation, attributes={"axis": axis})]
        # Of a vector its only axis is reduced; the number that is left needs no axis to be kept.
        return [Equation(operation.removesuffix("_along") if shape else "scalar", equation.operands, results)]
    return [equation]


def _between(equation: Equation, new: Temporaries) -> list[Equation]:
    """An elementwise equation, and before it one for each step in which an operand becomes as large as the result."""
    equations: list[Equation] = []
    operands: list[Operand] = []
    for operand in equation.operands:
        if isinstance(operand, Variable):
            operand = _repeated(operand, equation.results[0].shape, equations, new)
        operands.append(operand)
    return [*equations, replace(equation, operands=tuple(operands))]


def _repeated(operand: Variable, shape: Shape, equations: list[Equation], new: Temporaries) -> Variable:
    """An operand repeated along the axes that it lacks or has one element on."""
    if operand.shape in ((), shape) or len(shape) != 2:
        return operand
    if operand.kind == "bool":
        number = new.new(operand.shape)
        equations.append(Equation("where", (operand, 1.0, 0.0), (number,)))
        condition = replace(new.new(shape), kind="bool")
        equations.append(Equation("greater", (_repeated(number, shape, equations, new), 0.0), (condition,)))
        return condition
    rows, columns = shape
    if len(operand.shape) == 1 or operand.shape[0] != rows:
        wide = new.new((rows, operand.shape[-1]))
        equations.append(Equation("broadcast", (operand,), (wide,), {"axis": 0}))
        operand = wide
    if operand.shape[1] != columns:
        whole = new.new(shape)
        equations.append(Equation("broadcast", (operand,), (whole,), {"axis": 1}))
        operand = whole
    return operand
