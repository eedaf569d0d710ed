"""Random programs that are valid, and that no cell's trace would give."""

from __future__ import annotations

import random
from typing import Any

from recurra.program import OPERATIONS, Program, Shape, Size, Variable
from recurra.program.operations import Operation, Usage
from recurra.program.program import Equation
from recurra.program.serial import to_content
from recurra.program.sizes import HIDDEN, INPUT
from recurra.program.solver import Mismatch, Solver

_NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 1e30, 1e-40, float("inf"), float("nan"))
_COUNTS = (1, 2, 2, 4, 8)
_EXTRA: tuple[Shape, ...] = (
    (),
    (HIDDEN,),
    (HIDDEN, HIDDEN),
    (INPUT, HIDDEN),
    (HIDDEN * 2,),
    (HIDDEN, HIDDEN * 2),
    (Size.constant(2), HIDDEN / 2, HIDDEN),
    (Size.constant(1), HIDDEN),
)


def grown(draw: random.Random, most: int = 30) -> dict[str, Any]:
    """The content of a random program."""
    hidden = [Variable(f"h{n}", (HIDDEN,)) for n in range(draw.choice((1, 1, 2, 3)))]
    parameters = [Variable(f"p{n}", draw.choice(_EXTRA)) for n in range(draw.randrange(5))]
    known = [Variable("x", (INPUT,)), *hidden, *parameters]
    varying = {known[0].name, *(state.name for state in hidden)}
    equations: list[Equation] = []
    for number in range(draw.randrange(1, most)):
        equation = _equation(draw, known, varying, number)
        if equation is not None:
            equations.append(equation)
            known += equation.results
            if equation.operation == "mask" or any(v.name in varying for v in equation.variables):
                varying.update(v.name for v in equation.results)
    vectors = [v for v in known if v.shape == (HIDDEN,) and v.kind == "real"]
    outputs = [v for v in known if len(v.shape) == 1 and v.kind == "real"]
    following = tuple(draw.choice(vectors[-3:] if draw.random() < 0.7 else vectors) for _ in hidden)
    output = following[0] if draw.random() < 0.6 else draw.choice(outputs)
    program = Program("grown", known[0], tuple(hidden), tuple(parameters), tuple(equations), following, output)
    return to_content(program)


def _equation(draw: random.Random, known: list[Variable], varying: set[str], number: int) -> Equation | None:
    operation = draw.choice(list(OPERATIONS.values()))
    count = len(operation.operands) if operation.operands is not None else draw.randrange(1, 4)
    kinds = operation.operands if operation.operands is not None else ("real",) * count
    operands: list[Variable | float] = []
    for kind in kinds:
        fitting = [v for v in known if v.kind == kind]
        if kind == "real" and draw.random() < 0.1:
            operands.append(draw.choice(_NUMBERS))
        elif fitting:
            operands.append(draw.choice(fitting[-6:] if draw.random() < 0.6 else fitting))
        else:
            return None
    return _fitted(draw, operation, operands, varying, number)


def _fitted(
    draw: random.Random, operation: Operation, operands: list[Variable | float], varying: set[str], number: int
) -> Equation | None:
    """The equation, with results shaped by the operation's rule; None if the rule refuses the operands."""
    results = operation.results or draw.randrange(1, 5)
    attributes: dict[str, Any] = {}
    if "count" in operation.attributes:
        attributes["count"] = draw.choice(_COUNTS)
    elif "axis" in operation.attributes:  # of parameters alone
        if any(isinstance(o, Variable) and o.name in varying for o in operands):
            return None
        attributes["axis"] = draw.randrange(2)
    elif operation.attributes:
        per = draw.choice(("step", "sequence"))
        attributes = {
            "probability": draw.choice((0.0, 0.5, 1.0)),
            "on": 2.0,
            "mean": draw.choice((1.0, 2.0)),
            "per": per,
        }
    solver = Solver()
    places = [solver.add(o.shape if isinstance(o, Variable) else ()) for o in operands]
    shaped = [solver.add() for _ in range(results)]
    if operation.name in ("mask", "eye"):
        size = draw.choice((HIDDEN, INPUT, Size.constant(3)))
        solver.need(shaped[0], (size, size) if operation.name == "eye" else draw.choice(((), (size,))))
    if operation.name == "partition" and isinstance(operands[0], Variable) and operands[0].shape:
        *leading, width = operands[0].shape
        for place in shaped:
            solver.need(place, (*leading, width / results))
    try:
        is_varying = [isinstance(o, Variable) and o.name in varying for o in operands]
        operation.rule(Usage(solver, places, shaped, is_varying, attributes))
    except Mismatch:
        return None
    shapes = [solver.shape(place) for place in shaped]
    if any(shape is None or any("?" in s for size in shape for s in size.symbols) for shape in shapes):
        return None
    named = [Variable(f"v{number}_{n}", shape or (), operation.result) for n, shape in enumerate(shapes)]
    return Equation(operation.name, tuple(operands), tuple(named), attributes)
