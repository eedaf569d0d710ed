"""Marks of a chart's axes at round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Mark:
    """A mark of an axis: the value, or the position, where it stands, and its text."""

    at: float
    text: str


def number_marks(low: float, high: float, most: int = 7) -> list[Mark]:
    """Marks at round numbers from `low` to `high`, at most about so many.

    Args:
        low: the axis' lowest value.
        high: its highest value, above `low`.
        most: the number of intervals between marks, about. Default 7.
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [Mark(number * step, shown(number * step, step)) for number in range(first, last + 1)]


def log_marks(low: float, high: float, most: int = 7) -> list[Mark]:
    """Marks of a logarithmic axis: at powers of ten, and between them where these are few.

    Args:
        low: the axis' lowest value, positive.
        high: its highest value, above `low`.
        most: the number of marks, about. Default 7.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = last - first
    for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
        inside = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) <= most:
            break
    else:
        inside = [value for value in inside if round(math.log10(value)) % (decades // most + 1) == 0]
    if len(inside) < 2:  # less than a round number apart
        return number_marks(low, high, 4)
    texts = (shown(value, 10.0 ** math.floor(math.log10(value) + 1e-9)).removeprefix("1×") for value in inside)
    return [Mark(value, text) for value, text in zip(inside, texts, strict=True)]


def shown(value: float, step: float) -> str:
    """A number with as many decimals as numbers a step apart need; very large and small ones with a power of ten."""
    if value == 0 or abs(value) < step * 1e-9:
        return "0"
    if abs(value) >= 1e7 or step < 1e-4:
        exponent = math.floor(math.log10(abs(value)))
        decimals = min(max(0, exponent - math.floor(math.log10(step) + 1e-9)), 12)
        return f"{value / 10.0**exponent:.{decimals}f}×10{str(exponent).translate(_SUPERSCRIPTS)}"
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}".replace("-", "−")
