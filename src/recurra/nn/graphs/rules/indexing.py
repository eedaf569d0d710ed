"""Operations that select elements by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from recurra.nn.graphs.rules.shaping import within
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import GraphSize, NodeWriter, Ref, numpy_dtype


@rule("aten.embedding.default")
def _embedding(w: NodeWriter, weight: Ref, indices: Ref, *_: Any, **__: Any) -> Any:
    return w.node("Gather", weight, indices, axis=0)


@rule("aten.index_select.default")
def _index_select(w: NodeWriter, x: Ref, dim: int, index: Ref) -> Any:
    return w.node("Gather", x, index, axis=within(dim, x.ndim))


@rule("aten.gather.default")
def _gather(w: NodeWriter, x: Ref, dim: int, index: Ref, **_: Any) -> Any:
    return w.node("GatherElements", x, index, axis=within(dim, x.ndim))


@rule("aten.take_along_dim.default")
def _take_along(w: NodeWriter, x: Ref, index: Ref, dim: int | None = None) -> Any:
    if dim is None or x.ndim != index.ndim:
        raise ValueError("take_along_dim is supported with dim= and as many dimensions in both tensors")
    return w.node("GatherElements", x, index, axis=within(dim, x.ndim))


@rule("aten.index.Tensor")
def _index(w: NodeWriter, x: Ref, indices: Sequence[Ref | None]) -> Any:
    """Numbers of one dimension, or numbers of the first dimensions that stand for one position together."""
    given = [(place, index) for place, index in enumerate(indices) if index is not None]
    if any(index.dtype not in (torch.int64, torch.int32) for _, index in given):
        raise ValueError("an index of truth values gives a size that is not known before: use torch.where")
    if len(given) == 1:
        return w.node("Gather", x, given[0][1], axis=given[0][0])
    if [place for place, _ in given] != list(range(len(given))):
        raise ValueError("several tensors as indices are supported for the first dimensions alone")
    rank = max(index.ndim for _, index in given)
    shape = w.node("Shape", _sum([w.cast(index, torch.int64) for _, index in given], w))
    columns = []
    for _, index in given:
        wide = w.node("Expand", w.cast(index, torch.int64), shape)
        columns.append(w.node("Unsqueeze", wide, w.ints(rank)))
    return w.node("GatherND", x, w.node("Concat", *columns, axis=rank))


def _sum(names: Sequence[str], w: NodeWriter) -> Any:
    """The sum of values, which has the shape that they broadcast to."""
    total: Any = names[0]
    for name in names[1:]:
        total = w.node("Add", total, name)
    return total


@rule("aten.one_hot.default")
def _one_hot(w: NodeWriter, x: Ref, classes: GraphSize = -1) -> Any:
    if not isinstance(classes, int) or classes < 0:
        raise ValueError("one_hot is supported with a number of classes")
    return w.node("OneHot", x, w.scalar(classes), w.tensor(np.array([0, 1], np.int64)))


@rule("aten.topk.default")
def _topk(w: NodeWriter, x: Ref, k: GraphSize, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    place = within(dim, x.ndim)
    return w.node("TopK", x, w.shape([k]), outputs=2, axis=place, largest=int(largest), sorted=int(sorted))


@rule("aten.sort.default", "aten.sort.stable")
def _sort(w: NodeWriter, x: Ref, dim: int = -1, descending: bool = False, **_: Any) -> Any:
    place = within(dim, x.ndim)
    count = w.node("Slice", w.node("Shape", x), w.ints(place), w.ints(place + 1))
    return w.node("TopK", x, count, outputs=2, axis=place, largest=int(descending), sorted=1)


@rule("aten.argmax.default", "aten.argmin.default")
def _argmax(w: NodeWriter, x: Ref, dim: int | None = None, keepdim: bool = False) -> Any:
    operator = "ArgMax" if "argmax" in w.operation else "ArgMin"
    if dim is None:
        return w.node(operator, w.node("Reshape", x, w.ints(-1)), axis=0, keepdims=0)
    return w.node(operator, x, axis=within(dim, x.ndim), keepdims=int(keepdim))


@rule("aten.scatter.src", "aten.scatter.value")
def _scatter(w: NodeWriter, x: Ref, dim: int, index: Ref, value: Any) -> Any:
    updates = value if isinstance(value, Ref) else w.node(
        "ConstantOfShape", w.node("Shape", index), value=np.full(1, value, numpy_dtype(x.dtype))
    )  # fmt: skip
    return w.node("ScatterElements", x, index, updates, axis=within(dim, x.ndim))


@rule("aten.index_put.default", "aten.index_put_.default")
def _index_put(
    w: NodeWriter, x: Ref, indices: Sequence[Ref | None], value: Ref, accumulate: bool = False, *_: Any
) -> Any:
    """One number where a mask of truth values says so, as an assignment to ``x[mask]`` means."""
    mask = indices[0]
    if len(indices) != 1 or mask is None or mask.dtype != torch.bool or value.ndim or accumulate:
        raise ValueError(
            "an assignment to chosen elements is supported for x[mask] = number: use torch.where, or scatter"
        )
    wide = mask if mask.ndim == x.ndim else w.node("Unsqueeze", mask, w.ints(*range(mask.ndim, x.ndim)))
    return w.node("Where", wide, w.cast(value, x.dtype), x)
