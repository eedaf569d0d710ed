"""Arrays as text for a terminal: a row of shades for each unit; which units to show, and the ends of a scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHADES = " ░▒▓█"
SPARKS = "▁▂▃▄▅▆▇█"


def shades(values: NDArray[np.floating], low: float, high: float, width: int) -> list[str]:
    """A line for each unit: blank at ``low``, full at ``high``.

    Args:
        values: (steps, units).
        low: the value of a blank.
        high: the value of a full block.
        width: the most characters of a line; of more steps several share one, which shows their mean.
    """
    means = np.stack([part.mean(0) for part in np.array_split(values, min(width, len(values)))])
    return ["".join(SHADES[level] for level in row) for row in _levels(means.T, low, high, len(SHADES))]


def sparks(values: NDArray[np.floating], low: float, high: float, width: int) -> str:
    """A line of bars for the values of one unit, (steps,); arguments as of :func:`shades`."""
    means = np.array([part.mean() for part in np.array_split(values, min(width, len(values)))])
    return "".join(SPARKS[level] for level in _levels(means, low, high, len(SPARKS)))


def liveliest(values: np.ndarray, count: int) -> list[int]:
    """The units that change most, in their order.

    Args:
        values: (steps, units).
        count: the most units.
    """
    spread = np.nan_to_num(values.std(0))
    return sorted(np.argsort(-spread, kind="stable")[:count].tolist())


def bounds(values: np.ndarray, operation: str) -> tuple[float, float]:
    """The values at the ends of a scale: 0 and 1 for gates, else as far below zero as above it."""
    if operation == "sigmoid":
        return 0.0, 1.0
    finite = np.abs(values[np.isfinite(values)])
    most = 1.0 if operation == "tanh" else float(finite.max(initial=0.0)) or 1.0
    return -most, most


def _levels(values: NDArray[np.floating], low: float, high: float, count: int) -> NDArray[np.int64]:
    span = high - low if high > low else 1.0
    scaled = np.nan_to_num((values - low) / span)
    return np.asarray(np.clip(np.floor(scaled * count), 0, count - 1), np.int64)
