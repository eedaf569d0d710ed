"""Limits on the size of arrays that a node may create: a small file must not ask for all memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recurra.graph.table import Array

LARGEST = 2**31  # bytes, the limit of a whole protobuf file
_WIDEST = 8  # bytes of an element


def checked_shape(sizes: Iterable[Any], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Check sizes, and return them as the shape of a new array.

    Raises:
        ValueError: a size is negative, or the array would have more than 2 GiB.
    """
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape} has a negative size")
    if math.prod(shape) * dtype.itemsize > LARGEST:
        raise ValueError(f"shape {shape} of {dtype} is larger than 2 GiB")
    return shape


def is_small(arrays: Sequence[Array]) -> bool:
    """Whether an operator's result is small if it has no more elements than the product of its operands' sizes.

    A size of 0 counts as 1: a matrix product over an empty dimension has elements all the same.
    """
    elements: int = math.prod(max(1, size) for array in arrays for size in array.shape)
    return elements <= LARGEST // _WIDEST


def check_dtypes(*arrays: Array) -> None:
    """Refuse arrays of different dtypes, which the standard does not convert.

    Raises:
        ValueError: the dtypes differ.
    """
    if any(array.dtype != arrays[0].dtype for array in arrays):
        raise ValueError("the dtypes must be the same")


def check_onto(shape: tuple[int, ...], *arrays: Array) -> None:
    """Refuse arrays that do not broadcast to a shape without changing it.

    Raises:
        ValueError: an array does not.
    """
    for array in arrays:
        ends = zip(reversed(array.shape), reversed(shape), strict=False)
        if array.ndim > len(shape) or any(own not in (1, size) for own, size in ends):
            raise ValueError(f"shape {array.shape} does not broadcast to {shape}")


def check_broadcast(arrays: Sequence[Array]) -> None:
    """Refuse arrays that would broadcast to a result that is too large.

    Raises:
        ValueError: the result would have more than 2 GiB, or large arrays do not broadcast.
    """
    if len(arrays) > 1 and not is_small(arrays):
        widest = max((array.dtype for array in arrays), key=lambda dtype: dtype.itemsize)
        checked_shape(np.broadcast_shapes(*(array.shape for array in arrays)), widest)
