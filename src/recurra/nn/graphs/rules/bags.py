"""Bags of embeddings: the sum, mean or maximum of rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref, numpy_dtype, onnx_dtype

_SUM, _MEAN, _MAX = range(3)  # torch's modes


@rule("aten.embedding_bag.padding_idx", "aten.embedding_bag.default", "aten._embedding_bag_forward_only.default",
      "aten._embedding_bag.default")  # fmt: skip
def _embedding_bag(
    w: NodeWriter, weight: Ref, indices: Ref, offsets: Ref, by_frequency: bool = False, mode: int = _SUM,
    sparse: bool = False, factors: Ref | None = None, has_end: bool = False, padding: int | None = None,
) -> Any:  # fmt: skip
    """Rows are added to the place of their bag; those that are padding, or in no bag, to a place behind the last."""
    tokens, starts = w.cast(indices, torch.int64), w.cast(offsets, torch.int64)
    places, count = _places(w, tokens, starts, has_end)
    if padding is not None and padding >= 0:
        is_padding = w.node("Equal", tokens, w.number(padding, torch.int64))
        places = w.node("Where", is_padding, w.node("Squeeze", count, w.ints(0)), places)
    places = w.node("Unsqueeze", places, w.ints(1))
    rows = w.node("Gather", weight, tokens, axis=0)
    if factors is not None:
        rows = w.node("Mul", rows, w.node("Unsqueeze", factors, w.ints(1)))
    dtype, one = numpy_dtype(weight.dtype), w.ints(1)
    beyond = w.node("Add", count, one)
    width = w.node("Slice", w.node("Shape", weight), w.ints(1), w.ints(2))
    first = np.full(1, -np.inf if mode == _MAX else 0, dtype)
    start = w.node("ConstantOfShape", w.node("Concat", beyond, width, axis=0), value=first)
    gathered = w.node("ScatterND", start, places, rows, reduction="max" if mode == _MAX else "add")
    y = w.node("Slice", gathered, w.ints(0), count, w.ints(0))
    if mode != _SUM:
        y = _by_size(w, y, places, (beyond, count), weight, is_mean=mode == _MEAN)
    return y, None, None, None  # the others are for gradients


def _places(w: NodeWriter, tokens: Any, starts: Any, has_end: bool) -> tuple[Any, Any]:
    """The number of each token's bag, and the number of bags, as a vector of one."""
    steps = w.node("Range", w.number(0, torch.int64), w.node("Squeeze", w.node("Shape", tokens), w.ints(0)),
                   w.number(1, torch.int64))  # fmt: skip
    is_behind = w.node("GreaterOrEqual", steps, w.node("Unsqueeze", starts, w.ints(1)))
    passed = w.node("ReduceSum", w.node("Cast", is_behind, to=onnx_dtype(torch.int64)), w.ints(0), keepdims=0)
    count = w.node("Shape", starts)
    return w.node("Sub", passed, w.ints(1)), w.node("Sub", count, w.ints(1)) if has_end else count


def _by_size(w: NodeWriter, y: Any, places: Any, counts: tuple[Any, Any], weight: Ref, *, is_mean: bool) -> Any:
    """Sums divided by the sizes of bags, or maxima; zeros for empty bags. ``counts``: the places, and the bags."""
    beyond, count = counts
    dtype = numpy_dtype(weight.dtype)
    zeros = w.node("ConstantOfShape", beyond, value=np.zeros(1, dtype))
    shape = w.node("Slice", w.node("Shape", places), w.ints(0), w.ints(1))
    ones = w.node("ConstantOfShape", shape, value=np.ones(1, dtype))
    sizes = w.node("ScatterND", zeros, places, ones, reduction="add")
    sizes = w.node("Unsqueeze", w.node("Slice", sizes, w.ints(0), count, w.ints(0)), w.ints(1))
    if is_mean:
        return w.node("Div", y, w.node("Max", sizes, w.number(1, weight.dtype)))
    return w.node("Where", w.node("Greater", sizes, w.number(0, weight.dtype)), y, w.number(0, weight.dtype))
