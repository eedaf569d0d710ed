"""Operators that reduce, accumulate or normalize along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurra.graph.operators.limits import checked_shape
from recurra.graph.operators.shaping import axes_of, axis_of
from recurra.graph.table import OLDEST, Array, operator

_LAST_WITH_ATTRIBUTE = 17  # from the next opset on the axes are an input; those of ReduceSum are one earlier


def _log_sum_exp(x: Array, axis: Any, keepdims: bool) -> Array:
    x = x.astype(np.float64) if x.dtype.kind in "iu" else x
    top = x.max(axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, np.zeros((), x.dtype))
    total = np.log(np.exp(x - top).sum(axis, keepdims=True)) + top
    return total if keepdims else total.squeeze(axis)


_REDUCTIONS: dict[str, Callable[[Array, Any, bool], Array]] = {
    "ReduceSum": lambda x, axis, keep: x.sum(axis, x.dtype, keepdims=keep),
    "ReduceMean": lambda x, axis, keep: x.mean(axis, keepdims=keep).astype(x.dtype),
    "ReduceMax": lambda x, axis, keep: x.max(axis, keepdims=keep, initial=_least(x.dtype)),
    "ReduceMin": lambda x, axis, keep: x.min(axis, keepdims=keep, initial=_greatest(x.dtype)),
    "ReduceProd": lambda x, axis, keep: x.prod(axis, x.dtype, keepdims=keep),
    "ReduceL1": lambda x, axis, keep: np.abs(x).sum(axis, x.dtype, keepdims=keep),
    "ReduceL2": lambda x, axis, keep: np.sqrt((x * x).sum(axis, x.dtype, keepdims=keep)).astype(x.dtype),
    "ReduceSumSquare": lambda x, axis, keep: (x * x).sum(axis, x.dtype, keepdims=keep),
    "ReduceLogSum": lambda x, axis, keep: np.log(x.sum(axis, x.dtype, keepdims=keep)).astype(x.dtype),
    "ReduceLogSumExp": lambda x, axis, keep: _log_sum_exp(x, axis, keep).astype(x.dtype),
}


def _least(dtype: np.dtype[Any]) -> Any:
    """The smallest number of a dtype."""
    return False if dtype.kind == "b" else np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _greatest(dtype: np.dtype[Any]) -> Any:
    """The largest number of a dtype."""
    return True if dtype.kind == "b" else np.iinfo(dtype).max if dtype.kind in "iu" else np.inf


def _enter(name: str, reduce: Callable[[Array, Any, bool], Array]) -> None:
    """Enter a reduction in the table: with its axes as an attribute, and as an input."""
    last = 12 if name == "ReduceSum" else _LAST_WITH_ATTRIBUTE

    @operator(name, OLDEST, last)
    def by_attribute(x: Array, *, axes: Sequence[int] | None = None, keepdims: int = 1) -> Array:
        return reduce(x, None if axes is None else axes_of(axes, x.ndim), bool(keepdims))

    @operator(name, last + 1)
    def by_input(x: Array, axes: Array | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Array:
        if axes is None or axes.size == 0:
            return reduce(x, () if noop_with_empty_axes else None, bool(keepdims))
        return reduce(x, axes_of(axes, x.ndim), bool(keepdims))


for _name, _reduce in _REDUCTIONS.items():
    _enter(_name, _reduce)


def _index(x: Array, axis: int, keepdims: int, last: int, find: Callable[..., Any]) -> Array:
    """Indices along an axis of the elements that ``find`` finds: of equal ones the first or the last."""
    place = axis_of(axis, x.ndim)
    checked_shape((*x.shape[:place], *x.shape[place + 1 :]), np.dtype(np.int64))
    indices = x.shape[place] - 1 - find(np.flip(x, place), place) if last else find(x, place)
    return np.asarray(np.expand_dims(indices, place) if keepdims else indices, np.int64)


@operator("ArgMax")
def argmax(x: Array, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Array:
    """The index of the largest element."""
    return _index(x, axis, keepdims, select_last_index, np.argmax)


@operator("ArgMin")
def argmin(x: Array, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Array:
    """The index of the smallest element."""
    return _index(x, axis, keepdims, select_last_index, np.argmin)


@operator("CumSum")
def running_sum(x: Array, axis: Array, *, exclusive: int = 0, reverse: int = 0) -> Array:
    """The sum up to each element along an axis; with ``exclusive``, without the element itself."""
    place = axis_of(axis.item(), x.ndim)
    ordered = np.flip(x, place) if reverse else x
    sums = np.cumsum(ordered, place, x.dtype)
    if exclusive:
        first = np.zeros_like(sums.take([0], place)) if sums.shape[place] else sums
        sums = np.concatenate([first, sums.take(range(sums.shape[place] - 1), place)], place)
    return np.flip(sums, place) if reverse else sums


def _exponentials(x: Array, axis: Any) -> tuple[Array, Array]:
    """x minus its largest element, and exp of that."""
    shifted = x - x.max(axis, keepdims=True, initial=-np.inf)
    return shifted, np.exp(shifted)


def softmax(x: Array, axis: Any) -> Array:
    """exp(x) divided by its sum along axes."""
    _, powers = _exponentials(x, axis)
    return powers / powers.sum(axis, keepdims=True)


def log_softmax(x: Array, axis: Any) -> Array:
    """The logarithm of softmax."""
    shifted, powers = _exponentials(x, axis)
    return shifted - np.log(powers.sum(axis, keepdims=True))


def hardmax(x: Array, axis: Any) -> Array:
    """1 at the largest element along axes, the first of equal ones, and 0 elsewhere."""
    flat = x.reshape(*x.shape[: min(axis)], -1) if len(axis) > 1 else np.moveaxis(x, axis[0], -1)
    ones = np.arange(flat.shape[-1]) == flat.argmax(-1)[..., None]
    ones = ones.reshape(x.shape) if len(axis) > 1 else np.moveaxis(ones, -1, axis[0])
    return ones.astype(x.dtype)


def _enter_softmax(name: str, function: Callable[[Array, Any], Array]) -> None:
    """Enter a softmax in the table: up to opset 12 along an axis and all after it, later along the axis alone."""

    @operator(name, until=12)
    def along_the_rest(x: Array, *, axis: int = 1) -> Array:
        return function(x, tuple(range(axis_of(axis, x.ndim), x.ndim)))

    @operator(name, since=13)
    def along_one(x: Array, *, axis: int = -1) -> Array:
        return function(x, (axis_of(axis, x.ndim),))


for _name, _function in (("Softmax", softmax), ("LogSoftmax", log_softmax), ("Hardmax", hardmax)):
    _enter_softmax(_name, _function)
