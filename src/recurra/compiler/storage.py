"""The variables that a forward pass keeps for the backward pass, which does not compute them again."""

from __future__ import annotations

from recurra.compiler.rewrite import users
from recurra.program import Equation, Program, Variable

# Linear in one operand: its gradient does not need the operand, so what comes out can be kept in its place.
_PASSING = ("add", "subtract", "negative", "scalar", "split", "partition", "mean", "sum", "cumsum")
# Their gradients need only the result.
_BY_RESULT = ("sigmoid", "tanh", "exp", "relu", "sqrt")


def products_stored(program: Program) -> tuple[Variable, ...]:
    """What to keep so that no product of a row is computed again.

    Each product's result is followed to what is made of it by additions, cuts and an activation, as long as one
    equation alone reads it, and what comes out last is kept: of gates what they are, not the product that they come
    from. What is kept may also be a new state or the output, which the forward pass gives anyway.
    """
    readers = users(program)
    varying = program.varying()
    kept: dict[Variable, None] = {}
    waiting = [
        e.results[0] for e in reversed(program.equations) if e.operation == "product" and e.results[0] in varying
    ]
    while waiting:
        variable = waiting.pop()
        reading = readers.get(variable, [])
        if len(reading) == 1 and _passes(reading[0]):
            waiting.extend(reading[0].results[::-1])
        elif len(reading) == 1 and reading[0].operation in _BY_RESULT:
            kept[reading[0].results[0]] = None
        elif reading:  # what nothing reads is a result, and no gradient needs its value
            kept[variable] = None
    return tuple(kept)


def _passes(equation: Equation) -> bool:
    """Whether the gradients of an equation need no operand's value."""
    if equation.operation in ("multiply", "divide"):
        return isinstance(equation.operands[1], float) or (
            equation.operation == "multiply" and isinstance(equation.operands[0], float)
        )
    return equation.operation in _PASSING
