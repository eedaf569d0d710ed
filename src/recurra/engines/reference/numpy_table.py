"""The operation table in numpy."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import ModuleType

import numpy as np

from recurra.engines.protocol import Array
from recurra.program import OPERATIONS

_AT_ONCE = 2**16  # elements of one block of erf
_erf = np.frompyfunc(math.erf, 1, 1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow, and with full relative precision where it is near 0."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def erf(x: Array) -> Array:
    """The error function; numpy has none."""
    result, flat = np.empty(x.size, x.dtype), x.reshape(-1)
    for begin in range(0, x.size, _AT_ONCE):  # in blocks, as an array of Python's floats takes many times the memory
        result[begin : begin + _AT_ONCE] = _erf(flat[begin : begin + _AT_ONCE])
    return result.reshape(x.shape)


def elementwise(library: ModuleType, own: Mapping[str, Callable[..., Array]]) -> Mapping[str, Callable[..., Array]]:
    """The table's elementwise operations: from ``own``, else the library's function of the same name."""
    names = [name for name, row in OPERATIONS.items() if row.elementwise]
    return {name: own[name] if name in own else getattr(library, name) for name in names}


ELEMENTWISE = elementwise(
    np,
    {
        "power": operator.pow,  # unlike np.power, it takes a square root for the exponent 0.5
        "sigmoid": sigmoid,
        "relu": lambda x: np.maximum(x, 0),
        "softplus": lambda x: np.logaddexp(x, 0),
        "erf": erf,
        "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    },
)


def detached(x: Array) -> Array:
    """The array itself: arrays have no gradients."""
    return x


def mean(x: Array) -> Array:
    """The mean over features, kept as one feature."""
    return x.mean(-1, keepdims=True)


def total(x: Array) -> Array:
    """The sum over features, kept as one feature."""
    return x.sum(-1, keepdims=True)


def largest(x: Array) -> Array:
    """The maximum over features, kept as one feature."""
    return x.max(-1, keepdims=True)


def running_sum(x: Array) -> Array:
    """The running sum along features."""
    return np.cumsum(x, -1)


def cut(x: Array, widths: Sequence[int]) -> list[Array]:
    """Features split into parts of these widths."""
    return np.split(x, np.cumsum(widths)[:-1], -1)


def join(arrays: Sequence[Array]) -> Array:
    """Features concatenated; leading dimensions are broadcast."""
    leading = max((array.shape[:-1] for array in arrays), key=len)
    return np.concatenate([np.broadcast_to(array, (*leading, array.shape[-1])) for array in arrays], -1)


def cut_rows(x: Array, sizes: Sequence[int]) -> list[Array]:
    """Rows split into parts of these sizes."""
    return np.split(x, np.cumsum(sizes)[:-1], 0)


def join_rows(arrays: Sequence[Array]) -> Array:
    """Rows concatenated."""
    return np.concatenate(arrays, 0)


def heads_product(x: Array, matrices: Array) -> Array:
    """(…, heads, k) times (heads, k, columns), as (…, heads * columns)."""
    product = np.einsum("...nk,nkc->...nc", x, matrices)
    return product.reshape(*product.shape[:-2], product.shape[-2] * product.shape[-1])


def identity(size: int, like: Array) -> Array:
    """The identity matrix, (size, size)."""
    return np.eye(size, dtype=like.dtype)


def number(value: float, like: Array) -> Array:
    """A number as an array without dimensions."""
    return np.asarray(value, dtype=like.dtype)


def zero_where(condition: Array, x: Array) -> Array:
    """x with zeros where the condition holds."""
    return np.where(condition, np.zeros((), x.dtype), x)


def heads_outer(a: Array, b: Array) -> Array:
    """The sum over rows of (rows, heads, k) times (rows, heads, columns), head by head: (heads, k, columns)."""
    return np.einsum("rnk,rnc->nkc", a, b)


def backwards(x: Array) -> Array:
    """Features in reverse order."""
    return x[..., ::-1]


def expanded(x: Array, shape: Sequence[int]) -> Array:
    """x broadcast to a shape."""
    return np.broadcast_to(x, shape)


def silent() -> AbstractContextManager[object]:
    """A block without warnings of divisions by zero, as one branch of ``where`` is discarded."""
    return np.errstate(all="ignore")


def zeros(shape: Sequence[int], like: Array) -> Array:
    """Zeros of the dtype and on the device of an array."""
    return np.zeros(shape, like.dtype)
