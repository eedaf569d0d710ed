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

_AT_ONCE = 2**16  # elements
_erf = np.frompyfunc(math.erf, 1, 1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow, and with full relative precision where it is near 0."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def erf(x: Array) -> Array:
    """The error function; numpy has none."""
    found, flat = np.empty(x.size, x.dtype), x.reshape(-1)
    for begin in range(0, x.size, _AT_ONCE):  # what Python's function gives takes many times the memory
        found[begin : begin + _AT_ONCE] = _erf(flat[begin : begin + _AT_ONCE])
    return found.reshape(x.shape)


def elementwise(library: ModuleType, own: Mapping[str, Callable[..., Array]]) -> Mapping[str, Callable[..., Array]]:
    """The table's elementwise operations: the library's function of that name, except for those in ``own``."""
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
