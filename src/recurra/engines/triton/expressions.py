"""The table of elementwise operations as expressions of Triton's language.

A name without a dot is a function of ``functions.py``. Values are float32, or the results of comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recurra.program import Equation

EXPRESSIONS: Mapping[str, str] = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "power": "power({0}, {1})",
    "negative": "-{0}",
    "sigmoid": "sigmoid({0})",
    "tanh": "tanh({0})",
    "relu": "relu({0})",
    "exp": "tl.exp({0})",
    "log": "tl.log({0})",
    "softplus": "softplus({0})",
    "sqrt": "tl.sqrt_rn({0})",
    "abs": "tl.abs({0})",
    "sin": "tl.sin({0})",
    "cos": "tl.cos({0})",
    "erf": "tl.erf({0})",
    "sign": "sign({0})",
    "floor": "tl.floor({0})",
    "minimum": "minimum({0}, {1})",
    "maximum": "maximum({0}, {1})",
    "clip": "clip({0}, {1}, {2})",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "where": "tl.where({0}, {1}, {2})",
}

FUNCTIONS = (
    "clip", "largest", "maximum", "minimum", "power", "product", "relu", "running", "sigmoid", "sign", "softplus",
    "tanh", "total",
)  # fmt: skip

_POWERS = {2.0: "{0} * {0}", 3.0: "{0} * {0} * {0}", 0.5: "tl.sqrt_rn({0})", -1.0: "1.0 / {0}", 1.0: "{0}"}


def literal(value: float) -> str:
    """A number in a source."""
    return repr(float(value)) if math.isfinite(value) else f'float("{value}")'


def expression(equation: Equation, operands: Sequence[str]) -> str:
    """The expression of an elementwise equation, of operands that are names or literals."""
    exponent = equation.operands[-1]
    if equation.operation == "power" and isinstance(exponent, (int, float)) and float(exponent) in _POWERS:
        return _POWERS[float(exponent)].format(operands[0])
    text = EXPRESSIONS[equation.operation]
    return text.format(*(f"({each})" if each.startswith("-") and "(" not in text else each for each in operands))
