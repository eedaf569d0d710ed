"""How large an array may be whose size is a number in a model or in its inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

LARGEST = 2**31  # bytes, as of a whole file of protocol buffers


def checked_shape(sizes: Iterable[Any], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """The sizes as a shape for a new array.

    Raises:
        ValueError: a size is negative, or the array would have more than 2 GiB.
    """
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape} has a negative size")
    if math.prod(shape) * dtype.itemsize > LARGEST:
        raise ValueError(f"shape {shape} of {dtype} is larger than 2 GiB")
    return shape
