"""Arrays as text for a terminal: a row of shades for each unit."""

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


def _levels(values: NDArray[np.floating], low: float, high: float, count: int) -> NDArray[np.int64]:
    span = high - low if high > low else 1.0
    scaled = np.nan_to_num((values - low) / span)
    return np.asarray(np.clip(np.floor(scaled * count), 0, count - 1), np.int64)
