"""Operations that create tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from recurra.nn.graphs.rules.shaping import size_of
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import GraphSize, GraphValue, NodeWriter, Ref, numpy_dtype


def filled(w: NodeWriter, sizes: Sequence[GraphSize], value: GraphValue, dtype: torch.dtype) -> Any:
    """A tensor of one value."""
    if isinstance(value, Ref):
        return w.node("Expand", w.cast(value, dtype), w.shape(sizes))
    return w.node("ConstantOfShape", w.shape(sizes), value=np.full(1, value, numpy_dtype(dtype)))


@rule("aten.zeros.default", "aten.new_zeros.default", "aten.ones.default", "aten.new_ones.default",
      "aten.empty.memory_format", "aten.new_empty.default")  # fmt: skip
def _zeros(w: NodeWriter, *arguments: Any, **_: Any) -> Any:
    sizes = arguments[1] if isinstance(arguments[0], Ref) else arguments[0]
    return filled(w, sizes, int("ones" in w.operation), w.result.dtype)


@rule("aten.full.default", "aten.new_full.default")
def _full(w: NodeWriter, *arguments: Any, fill_value: GraphValue = None, **_: Any) -> Any:
    sizes, *value = arguments[1:] if "new_full" in w.operation else arguments
    return filled(w, sizes, value[0] if value else fill_value, w.result.dtype)


@rule("aten.zeros_like.default", "aten.ones_like.default", "aten.empty_like.default", "aten.full_like.default")
def _like(w: NodeWriter, x: Ref, value: GraphValue = None, *, fill_value: GraphValue = None, **_: Any) -> Any:
    given = fill_value if value is None else value
    sizes = [size_of(w, x, dim) for dim in range(x.ndim)]
    return filled(w, sizes, int("ones" in w.operation) if given is None else given, w.result.dtype)


@rule("aten.scalar_tensor.default")
def _scalar(w: NodeWriter, value: GraphValue, **_: Any) -> Any:
    return w.cast(value, w.result.dtype)


@rule("aten.arange.default", "aten.arange.start", "aten.arange.start_step")
def _arange(w: NodeWriter, *arguments: Any, **_: Any) -> Any:
    start, end, step = {1: (0, *arguments, 1), 2: (*arguments, 1)}.get(len(arguments), arguments)
    dtype = w.result.dtype
    if all(isinstance(each, (int, float)) for each in (start, end, step)):
        return w.tensor(torch.arange(start, end, step, dtype=dtype).numpy())
    return w.node("Range", *(w.cast(each, dtype) for each in (start, end, step)))


@rule("aten.eye.default")
def _eye(w: NodeWriter, count: GraphSize, **_: Any) -> Any:
    if not isinstance(count, int):
        raise ValueError("eye of a free size is not supported")
    return w.tensor(np.eye(count, dtype=numpy_dtype(w.result.dtype)))


@rule("aten.tril.default", "aten.triu.default")
def _triangle(w: NodeWriter, x: Ref, diagonal: int = 0) -> Any:
    return w.node("Trilu", x, w.scalar(diagonal), upper=int("triu" in w.operation))
