"""``Side``: a call that is timed beside others, and the comparison of two sides' results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Results = dict[str, NDArray[Any]]

# Sums in another order may differ by this part of the largest value of a result.
TOLERANCE = 2e-5


@dataclass(frozen=True)
class Side:
    """A call to be timed beside others.

    Attributes:
        name: the name of the peer, or ``recurra``.
        call: the call to be timed.
        results: runs once, and gives all numbers by name: ``output``, the last states ``h_n`` and ``c_n``, in training
            also ``grad x`` and ``grad <parameter>`` with the names of recurra's parameters. None if there is nothing
            to compare.
        during: gives a context around calls, which is entered before the clock starts.
    """

    name: str
    call: Callable[[], object]
    results: Callable[[], Results] | None = None
    during: Callable[[], AbstractContextManager[object]] = nullcontext


def difference(mine: Results, theirs: Results) -> tuple[float, str]:
    """The largest difference of two sides' results, relative to the largest value of its kind, and the result's name.

    Args:
        mine: the results to check; there may be more of them than of the others.
        theirs: the results to compare them with.

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
        if off != off:  # NaN is the worst difference
            return off, name
        worst = max(worst, (off, name))
    return worst
