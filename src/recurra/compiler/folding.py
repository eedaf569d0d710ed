"""Arithmetic on numbers that the compiler knows: the one place where constants are computed."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence

from recurra.program import Operand


def _quotient(a: float, b: float) -> float:
    """a / b, with the results of IEEE 754 where b is zero."""
    if b:
        return a / b
    return math.nan if a == 0.0 else a * math.copysign(math.inf, b)


_ARITHMETIC: Mapping[str, Callable[..., float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": _quotient,
    "negative": operator.neg,
}


def folded(operation: str, operands: Sequence[Operand | None]) -> float | None:
    """The number that an operation gives; None where an operand is no number, or the operation no arithmetic."""
    numbers = [operand for operand in operands if isinstance(operand, float)]
    if operation not in _ARITHMETIC or len(numbers) < len(operands):
        return None
    return _ARITHMETIC[operation](*numbers)
