"""The variables that a forward pass keeps for the backward pass, which does not compute them again."""

from __future__ import annotations

from recurra.compiler.rewrite import users
from recurra.program import Equation, Program, Variable

# Linear in one operand: its gradient does not need the operand, so the result can be kept in its place.
_PASSING = ("add", "subtract", "negative", "scalar", "split", "partition", "mean", "sum", "cumsum")
# The gradients of these need the result alone.
_BY_RESULT = ("sigmoid", "tanh", "exp", "relu", "sqrt")


def products_stored(program: Program) -> tuple[Variable, ...]:
    """The variables to keep so that no product of a row is computed again.

    Each product's result is followed through additions, cuts and one activation, as long as one equation alone reads
    it. The last result is kept: the gates themselves, for example, not the products that they come from. A kept
    variable may also be a new state or the output, which the forward pass gives anyway.
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
        elif reading:  # a variable that nothing reads is a result, and no gradient needs its value
            kept[variable] = None
    return tuple(kept)


def parts_stored(program: Program) -> tuple[Variable, ...]:
    """The parts to keep of states that a step only cuts, as it cuts a history: the gradients need a few of them.

    The output is no such state, as the forward pass gives it anyway.
    """
    readers = users(program)
    kept: list[Variable] = []
    for state, value in zip(program.states, program.next_states, strict=True):
        reading = readers.get(state, [])
        if value != program.output and all(equation.operation in ("split", "partition") for equation in reading):
            kept += [part for equation in reading for part in equation.results]
    return tuple(kept)


def _passes(equation: Equation) -> bool:
    """Whether the gradients of an equation need no operand's value."""
    if equation.operation in ("multiply", "divide"):
        return isinstance(equation.operands[1], float) or (
            equation.operation == "multiply" and isinstance(equation.operands[0], float)
        )
    return equation.operation in _PASSING
