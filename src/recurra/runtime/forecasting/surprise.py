"""The surprise of an observation: how improbable it was under the forecast made before it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 64.0  # bits


def surprise_of(value: float, levels: Sequence[float], quantiles: NDArray[np.float64]) -> float | None:
    """The bits of surprise of an observation: -log2 of the probability of one as far out, on either side.

    With F, the distribution that runs straight from quantile to quantile, it is -log2 of twice the smaller one of F and
    1 - F. So it is 0 at the median, 1 at the bounds of the 50 % interval, 3.3 at those of the 90 % one. Beyond the
    outermost quantiles F has exponential tails, which go on from the last two quantiles.

    Args:
        value: the observation.
        levels: the levels of the forecast's quantiles, ascending.
        quantiles: (levels,), the forecast, in order.

    Returns:
        From 0 to 64 bits; None for NaN.
    """
    if value != value:
        return None
    below = _share(value, levels, quantiles.tolist())
    above = _share(-value, [1 - level for level in reversed(levels)], (-quantiles[::-1]).tolist())
    return min(max(0.0, -math.log2(max(2 * min(below, above), 2.0**-MOST))), MOST)


def _share(value: float, levels: Sequence[float], quantiles: Sequence[float]) -> float:
    """The probability of a value that is not larger; where quantiles are equal, all of theirs count."""
    place = bisect_right(quantiles, value)
    if place == 0:
        step = max(quantiles[:2]) - quantiles[0]
        if not step > 0:
            return 0.0
        return levels[0] * math.exp(-math.log(levels[1] / levels[0]) / step * (quantiles[0] - value))
    if place == len(quantiles):
        return 1.0
    begin, end = quantiles[place - 1], quantiles[place]
    part = (value - begin) / (end - begin)
    return levels[place - 1] + part * (levels[place] - levels[place - 1])
