"""Arrays of numpy as addresses and strides."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from recurra.engines.protocol import Array


def is_numpy(array: Array) -> bool:
    """Whether an array is numpy's; else it is torch's."""
    return type(array).__module__ == "numpy"


def is_double(array: Array) -> bool:
    """Whether an array, of numpy or torch, is float64; else it is float32.

    Raises:
        ValueError: it is neither, or of another machine's byte order.
    """
    return _is_double(array.dtype)


@lru_cache(maxsize=64)
def _is_double(dtype: Any) -> bool:
    name = str(dtype).removeprefix("torch.")
    if name not in ("float32", "float64"):
        raise ValueError(f"the native engine computes in float32 and float64, not in {name}")
    return name == "float64"


def check_dtype(dtype: Any, arrays: Iterable[Array]) -> None:
    """Refuse arrays of another dtype: native code would take their memory for something else.

    Raises:
        ValueError: there is one.
    """
    for array in arrays:
        if array.dtype != dtype:
            raise ValueError(f"all arrays of a call must be {dtype}, as its input is; one is {array.dtype}")


def address(array: Array) -> int:
    """Where an array's first element is."""
    return int(array.__array_interface__["data"][0])


def strides(array: Array) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple(stride // array.itemsize for stride in array.strides)


def contiguous_features(array: Array) -> Array:
    """The array, copied where its features are not next to each other in memory."""
    if not array.flags.aligned or any(stride % array.itemsize for stride in array.strides):
        return np.array(array, order="C")
    if array.shape[-1] <= 1 or strides(array)[-1] == 1:
        return array
    return np.ascontiguousarray(array)


def contiguous_blocks(array: Array) -> Array:
    """A constant of more than two dimensions, copied where it is not contiguous."""
    return array if array.ndim < 3 else np.ascontiguousarray(array)


def matrix_words(array: Array) -> tuple[int, int, int]:
    """Address, stride of rows and of columns of a constant; the leading dimensions of a larger one are contiguous."""
    steps = strides(array)
    if len(steps) < 2:
        return address(array), 0, steps[0] if steps else 0
    if len(steps) > 2:  # one row after the other; where a size is 1, its stride may be anything
        return address(array), array.shape[-1], 1
    return address(array), steps[0], steps[1]


def rows_words(array: Array) -> tuple[int, int, int]:
    """Address, stride of steps and of rows: of (steps, batch, features), or of packed (rows, features)."""
    steps = strides(array)
    if len(steps) == 2:
        return address(array), 0, steps[0]
    return address(array), steps[0], steps[1]


def batch_words(array: Array) -> tuple[int, int]:
    """Address and stride of (batch, features)."""
    return address(array), strides(array)[0]
