"""The operation table in numpy."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

Array = Any


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow, and with full relative precision where it is near 0."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


ELEMENTWISE: Mapping[str, Callable[..., Array]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "negative": operator.neg,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "exp": np.exp,
    "log": np.log,
    "softplus": lambda x: np.logaddexp(x, 0),
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "where": np.where,
}


def mean(x: Array) -> Array:
    """The mean over features, which stay as one."""
    return x.mean(-1, keepdims=True)


def total(x: Array) -> Array:
    """The sum over features, which stay as one."""
    return x.sum(-1, keepdims=True)


def largest(x: Array) -> Array:
    """The largest feature, which stays as one."""
    return x.max(-1, keepdims=True)


def running_sum(x: Array) -> Array:
    """The running sum along features."""
    return np.cumsum(x, -1)


def cut(x: Array, widths: Sequence[int]) -> list[Array]:
    """Features cut in parts of these widths."""
    return np.split(x, np.cumsum(widths)[:-1], -1)


def join(arrays: Sequence[Array]) -> Array:
    """Features one after the other; leading dimensions are broadcast."""
    leading = max((array.shape[:-1] for array in arrays), key=len)
    return np.concatenate([np.broadcast_to(array, (*leading, array.shape[-1])) for array in arrays], -1)


def cut_rows(x: Array, sizes: Sequence[int]) -> list[Array]:
    """Rows cut in parts of these sizes."""
    return np.split(x, np.cumsum(sizes)[:-1], 0)


def join_rows(arrays: Sequence[Array]) -> Array:
    """Rows one after the other."""
    return np.concatenate(arrays, 0)


def heads_product(x: Array, matrices: Array) -> Array:
    """(…, heads, k) times (heads, k, columns), as (…, heads * columns)."""
    product = np.einsum("...nk,nkc->...nc", x, matrices)
    return product.reshape(*product.shape[:-2], product.shape[-2] * product.shape[-1])


def identity(size: int, like: Array) -> Array:
    """The identity matrix."""
    return np.eye(size, dtype=like.dtype)


def number(value: float, like: Array) -> Array:
    """A number as an array."""
    return np.asarray(value, dtype=like.dtype)


def zero_where(condition: Array, x: Array) -> Array:
    """x, but zero where the condition holds."""
    return np.where(condition, np.zeros((), x.dtype), x)


def heads_outer(a: Array, b: Array) -> Array:
    """The sum over rows of (rows, heads, k) times (rows, heads, columns), head by head: (heads, k, columns)."""
    return np.einsum("rnk,rnc->nkc", a, b)


def backwards(x: Array) -> Array:
    """Features from the last to the first."""
    return x[..., ::-1]


def expanded(x: Array, shape: Sequence[int]) -> Array:
    """x in every element of a shape."""
    return np.broadcast_to(x, shape)


def silent() -> AbstractContextManager[object]:
    """A block that warns of no division by zero: of the branches of ``where`` one is thrown away."""
    return np.errstate(all="ignore")


def zeros(shape: Sequence[int], like: Array) -> Array:
    """Zeros of the dtype and on the device of an array."""
    return np.zeros(shape, like.dtype)
