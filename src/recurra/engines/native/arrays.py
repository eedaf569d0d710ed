"""Addresses and strides of numpy's arrays."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from recurra.engines.protocol import Array


def is_numpy(array: Array) -> bool:
    """Whether an array is numpy's; otherwise it is torch's."""
    return type(array).__module__ == "numpy"


def is_double(array: Array) -> bool:
    """Whether an array, of numpy or torch, is float64; otherwise it is float32.

    Raises:
        ValueError: the array is neither, or has another byte order than this machine.
    """
    return _is_double(array.dtype)


@lru_cache(maxsize=64)
def _is_double(dtype: Any) -> bool:
    name = str(dtype).removeprefix("torch.")
    if name not in ("float32", "float64"):
        raise ValueError(f"the native engine computes in float32 and float64, not in {name}")
    return name == "float64"


def check_dtype(dtype: Any, arrays: Iterable[Array]) -> None:
    """Refuse arrays of another dtype, whose memory native code would misread.

    Raises:
        ValueError: an array has another dtype.
    """
    for array in arrays:
        if array.dtype != dtype:
            raise ValueError(f"all arrays of a call must be {dtype}, as its input is; one is {array.dtype}")


def address(array: Array) -> int:
    """The address of an array's first element."""
    return int(array.__array_interface__["data"][0])


def strides(array: Array) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple(stride // array.itemsize for stride in array.strides)


def contiguous_features(array: Array) -> Array:
    """The array, copied if its features are not contiguous."""
    if not array.flags.aligned or any(stride % array.itemsize for stride in array.strides):
        return np.array(array, order="C")
    if array.shape[-1] <= 1 or strides(array)[-1] == 1:
        return array
    return np.ascontiguousarray(array)


def contiguous_blocks(array: Array) -> Array:
    """A constant, copied if it has more than two dimensions and is not contiguous."""
    return array if array.ndim < 3 else np.ascontiguousarray(array)


def matrix_words(array: Array) -> tuple[int, int, int]:
    """Address, stride of rows, stride of columns of a constant. One of more than two dimensions must be contiguous."""
    steps = strides(array)
    if len(steps) < 2:
        return address(array), 0, steps[0] if steps else 0
    if len(steps) > 2:  # contiguous; numpy allows any stride for a size of 1
        return address(array), array.shape[-1], 1
    return address(array), steps[0], steps[1]


def rows_words(array: Array) -> tuple[int, int, int]:
    """Address, stride of steps, stride of rows of an array (T, batch, features), or packed (rows, features)."""
    steps = strides(array)
    if len(steps) == 2:
        return address(array), 0, steps[0]
    return address(array), steps[0], steps[1]


def batch_words(array: Array) -> tuple[int, int]:
    """Address and stride of rows of an array (batch, features)."""
    return address(array), strides(array)[0]
