"""Operators that create arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.graph.dtypes import read_dtype
from recurra.graph.operators.limits import checked_shape
from recurra.graph.operators.shaping import axis_of
from recurra.graph.table import Array, NodeInfo, building_operator, operator


@building_operator("Constant")
def constant(
    node: NodeInfo,
    *,
    value: Array | None = None,
    value_float: float | None = None,
    value_floats: Sequence[float] | None = None,
    value_int: int | None = None,
    value_ints: Sequence[int] | None = None,
) -> Any:
    """A constant value."""
    if value is None:
        floats = value_floats if value_float is None else value_float
        whole = value_ints if value_int is None else value_int
        value = np.array(whole, np.int64) if floats is None else np.array(floats, np.float32)
    return lambda: value


@operator("ConstantOfShape")
def constant_of_shape(shape: Array, *, value: Array | None = None) -> Array:
    """An array filled with one value, by default 0 in float32."""
    filler = np.zeros(1, np.float32) if value is None else value
    return np.full(checked_shape(shape, filler.dtype), filler.reshape(()), filler.dtype)


@operator("Range")
def numbers(start: Array, limit: Array, delta: Array, *, stash_type: int = 1) -> Array:
    """The numbers from start up to, but without, limit in steps of delta."""
    if delta == 0:
        raise ValueError("a step of 0 never arrives")
    count = max(0, math.ceil((limit.item() - start.item()) / delta.item()))
    checked_shape((count,), start.dtype)
    wide = np.float32 if start.dtype == np.float16 and stash_type else start.dtype
    return (start.astype(wide) + np.arange(count, dtype=wide) * delta.astype(wide)).astype(start.dtype)


@operator("EyeLike", dtype=read_dtype)
def eye_like(x: Array, *, dtype: np.dtype[Any] | None = None, k: int = 0) -> Array:
    """A matrix of x's shape with ones on a diagonal."""
    if x.ndim != 2:
        raise ValueError(f"a matrix is needed, not {x.ndim} dimensions")
    checked_shape(x.shape, x.dtype if dtype is None else dtype)
    return np.eye(x.shape[0], x.shape[1], k, dtype=x.dtype if dtype is None else dtype)


@operator("OneHot")
def one_hot(indices: Array, depth: Array, values: Array, *, axis: int = -1) -> Array:
    """A vector for each index, along a new axis: values[1] at the index, values[0] elsewhere."""
    count, place = int(depth.item()), axis_of(axis, indices.ndim + 1)
    checked_shape((*indices.shape, count), values.dtype)
    indices = indices.astype(np.int64) if indices.dtype.kind in "iu" else indices  # narrow ones may not hold the depth
    at = np.expand_dims(np.where((indices >= -count) & (indices < 0), indices + count, indices), place)
    positions = np.arange(count).reshape([-1 if number == place else 1 for number in range(at.ndim)])
    return np.where(at == positions, values[1], values[0])
