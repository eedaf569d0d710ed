"""Exact products of whole numbers of 8 bits, computed by the fast products of floats.

A float32 holds every whole number up to 2²⁴, so that sums of products below that are exact in any order. Longer sums
are cut into pieces, whose results are added as int32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.graph.operators.limits import checked_shape, is_small
from recurra.graph.operators.windows import convolution
from recurra.graph.table import Array

_EXACT = 2**24  # the whole numbers that float32 holds without gaps


@dataclass(frozen=True)
class Centred:
    """Whole numbers minus their zero point.

    Attributes:
        values: the numbers, float32.
        largest: a bound of their absolute values.
    """

    values: Array
    largest: int

    @staticmethod
    def of(x: Array, zero: Array | None, axis: int) -> Centred:
        """The numbers minus their zero point: one for all, or one for each index of an axis.

        Raises:
            ValueError: the numbers are not of 8 bits, or the zero points do not fit.
        """
        if x.dtype not in (np.uint8, np.int8):
            raise ValueError(f"int8 or uint8 is needed; got {x.dtype}")
        if zero is None:
            return Centred(x.astype(np.float32), 255 if x.dtype == np.uint8 else 128)
        if zero.dtype != x.dtype:
            raise ValueError(f"the zero point must be of {x.dtype}, as the numbers are; got {zero.dtype}")
        limits, offset = np.iinfo(x.dtype), zero.astype(np.int32)
        largest = max(int((offset - limits.min).max(initial=0)), int((limits.max - offset).max(initial=0)))
        return Centred(x.astype(np.float32) - _placed(zero.astype(np.float32), x, axis), largest)


def _placed(zero: Array, x: Array, axis: int) -> Array:
    """Zero points as they broadcast to x."""
    if zero.size == 1:
        return zero.reshape(())
    if zero.ndim == x.ndim and zero.ndim > 1:  # of each matrix of a stack too
        return zero
    if zero.shape != (x.shape[axis],):
        raise ValueError(f"zero points must be one number or {x.shape[axis]}; got {zero.shape}")
    shape = [1] * x.ndim
    shape[axis] = -1
    return zero.reshape(shape)


def integer_product(a: Centred, b: Centred) -> Array:
    """The product of two matrices, or stacks of them, int32."""
    left, right = a.values, b.values
    if not is_small((left, right)) and min(left.ndim, right.ndim) > 1:
        shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        checked_shape((*shape, left.shape[-2], right.shape[-1]), np.dtype(np.int32))
    step = max(1, _EXACT // max(1, a.largest * b.largest))
    count = left.shape[-1]
    if count <= step or right.ndim == 1 or right.shape[-2] != count:  # numpy says which sizes do not fit
        return np.matmul(left, right).astype(np.int32)
    total: Array = np.int32(0)
    for begin in range(0, count, step):
        piece = slice(begin, begin + step)
        total = total + np.matmul(left[..., piece], right[..., piece, :]).astype(np.int32)
    return total


def integer_convolution(
    x: Centred,
    weight: Centred,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> Array:
    """The cross-correlation of x, (batch, channels, …), with weights, (filters, channels / group, …), int32."""
    count = int(np.prod(weight.values.shape[1:]))
    dtype = np.float32 if count * x.largest * weight.largest <= _EXACT else np.float64
    options = {
        "auto_pad": auto_pad, "dilations": dilations, "group": group, "kernel_shape": kernel_shape, "pads": pads,
        "strides": strides,
    }  # fmt: skip
    floats = convolution(x.values.astype(dtype, copy=False), weight.values.astype(dtype, copy=False), **options)
    return floats.astype(np.int32)
