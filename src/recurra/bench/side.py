"""One of those that are timed side by side."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Results = dict[str, NDArray[Any]]

# Of the largest value of each result: what sums in another order may differ by.
TOLERANCE = 2e-5


@dataclass(frozen=True)
class Side:
    """Something to call again and again.

    Attributes:
        name: the peer's, or ``recurra``.
        call: what is timed.
        results: runs once and gives all numbers by name: ``output``, the last states ``h_n`` and ``c_n``, in training
            also ``grad x`` and ``grad <parameter>`` with the names of recurra's parameters. None where there is nothing
            to compare.
        during: a context around calls, entered outside of the time.
    """

    name: str
    call: Callable[[], object]
    results: Callable[[], Results] | None = None
    during: Callable[[], AbstractContextManager[object]] = nullcontext


def difference(mine: Results, theirs: Results) -> tuple[float, str]:
    """The largest difference of two sides' results, relative to the largest value of its kind, and where it is.

    Args:
        mine: what is checked; it may have more results than the other.
        theirs: what it is compared with.

    Raises:
        ValueError: a result is missing, or has another shape.
    """
    worst = 0.0, "output"
    for name, expected in theirs.items():
        if name not in mine:
            raise ValueError(f"there is no {name!r} to compare; there are {', '.join(mine)}")
        if mine[name].shape != expected.shape:
            raise ValueError(f"{name!r} has shape {mine[name].shape}, the peer's has {expected.shape}")
        scale = max(float(np.abs(expected).max(initial=0.0)), np.finfo(np.float32).tiny)
        off = float(np.abs(mine[name].astype(np.float64) - expected).max(initial=0.0)) / scale
        if off != off:  # a NaN is the worst
            return off, name
        worst = max(worst, (off, name))
    return worst
