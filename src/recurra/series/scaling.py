"""Scaling of series: an offset and a scale for each window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RELATIVE_ZERO = 1e-9  # a spread below this share of the level is that of rounding


def window_scales(
    context: NDArray[np.float64], whole: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The offset and the scale of each window.

    Args:
        context: float64 (windows, context), NaN where nothing was observed.
        whole: float64 (windows,), the scale of all that was known of the series, for windows without any change.

    Returns:
        The mean and the mean absolute deviation of each window, float64 (windows,). The scale is zero where a window
        and its series are constant.
    """
    seen = ~np.isnan(context)
    count = np.maximum(seen.sum(axis=1), 1)
    largest = np.where(seen, np.abs(context), 0.0).max(axis=1)
    unit = np.where(largest > 0, largest, 1.0)
    scaled = np.where(seen, context, 0.0) / unit[:, None]  # sums of huge and of tiny numbers stay exact
    offset = scaled.sum(axis=1) / count
    scale = np.where(seen, np.abs(scaled - offset[:, None]), 0.0).sum(axis=1) / count
    is_constant = scale <= RELATIVE_ZERO
    return offset * unit, np.where(is_constant, whole, scale * unit)
