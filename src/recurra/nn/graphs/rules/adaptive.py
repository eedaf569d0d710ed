"""Adaptive pooling: a result of a size that is given, from windows that share the input out."""

from __future__ import annotations

from typing import Any

import torch

from recurra.engines.torch_internals import fixed_size
from recurra.nn.graphs.rules.reducing import reduced
from recurra.nn.graphs.rules.shaping import size_of
from recurra.nn.graphs.rules.windows import batched, each
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref


@rule("aten.adaptive_avg_pool1d.default", "aten.adaptive_avg_pool2d.default", "aten._adaptive_avg_pool2d.default",
      "aten.adaptive_max_pool1d.default", "aten.adaptive_max_pool2d.default")  # fmt: skip
def _adaptive_pool(w: NodeWriter, x: Ref, sizes: Any) -> Any:
    """The mean or largest element of each window; the windows of several dimensions are taken one after the other."""
    count = int(w.operation.split("pool")[1][0])
    is_mean = "avg" in w.operation
    y: Any = x
    even = _even_windows(x, each(sizes, count))
    if even is not None:
        own, has_batch = batched(w, x, count)
        y = w.node("AveragePool" if is_mean else "MaxPool", own, kernel_shape=even, strides=even)
        y = y if has_batch else w.node("Squeeze", y, w.ints(0))
        return y if is_mean else (y, None)
    for number, wanted in enumerate(each(sizes, count)):
        dim = x.ndim - count + number
        if not _is_size(x, dim, wanted):
            y = _shared_out(w, x, y, dim, wanted, "ReduceMean" if is_mean else "ReduceMax")
    return y if is_mean else (y, None)  # without the places of the largest elements


def _is_size(x: Ref, dim: int, wanted: Any) -> bool:
    """Tell whether a dimension has the wanted size already."""
    if isinstance(wanted, Ref):
        return str(wanted.val) == str(x.val.shape[dim])
    return bool(x.size(dim) == wanted)


def _even_windows(x: Ref, wanted: tuple[Any, ...]) -> tuple[int, ...] | None:
    """The size of windows that are all of one size, more than one of them; None if there are no such."""
    sizes = [x.size(x.ndim - len(wanted) + number) for number in range(len(wanted))]
    kernel = []
    for size, want in zip(sizes, wanted, strict=True):
        if size is None or not isinstance(want, int) or want < 1 or size % want:
            return None
        kernel.append(size // want)
    return tuple(kernel) if max(wanted) > 1 and max(kernel) > 1 else None


def _shared_out(w: NodeWriter, x: Ref, y: Any, dim: int, wanted: Any, operator: str) -> Any:
    """Window number i of n begins at ⌊i·size/n⌋ and ends before ⌈(i + 1)·size/n⌉."""
    count = wanted if isinstance(wanted, int) else fixed_size(wanted.val)
    if count is None:
        raise ValueError("adaptive pooling to a free size is supported where that is the input's own")
    if count == 1:
        return reduced(w, operator, y, x.ndim, dim, True)
    size, axis = size_of(w, x, dim), w.ints(dim)
    parts = []
    for number in range(count):
        if isinstance(size, int):
            begin, end = w.ints(number * size // count), w.ints(-(-(number + 1) * size // count))
        else:
            begin, end = _floor(w, size, number, count, 0), _floor(w, size, number + 1, count, count - 1)
        parts.append(reduced(w, operator, w.node("Slice", y, begin, end, axis), x.ndim, dim, True))
    return w.node("Concat", *parts, axis=dim)


def _floor(w: NodeWriter, size: Ref, factor: int, count: int, added: int) -> Any:
    """⌊(size·factor + added) / count⌋ as a vector of one number."""
    total = w.node("Mul", size, w.number(factor, torch.int64))
    total = w.node("Add", total, w.number(added, torch.int64))
    return w.node("Reshape", w.node("Div", total, w.number(count, torch.int64)), w.ints(1))
