"""Sums, means, largest elements and norms along dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from recurra.nn.graphs.rules.shaping import size_of, within
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref


def reduced(w: NodeWriter, operator: str, x: str | Ref, ndim: int, dims: Any, keepdim: bool = False) -> Any:
    """A reduction along these dimensions; along all if there are none.

    ReduceMean and its like take the dimensions as an input from opset 18 on.
    """
    chosen = [dims] if isinstance(dims, int) else list(dims or ())
    axes = w.ints(*sorted(within(dim, ndim) for dim in chosen)) if chosen else None
    return w.node(operator, x, axes, keepdims=int(keepdim))


@rule("aten.sum.default", "aten.sum.dim_IntList", "aten.mean.default", "aten.mean.dim")
def _sum(w: NodeWriter, x: Ref, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    own = w.cast(x, w.result.dtype)
    return reduced(w, "ReduceSum" if ".sum" in w.operation else "ReduceMean", own, x.ndim, dim, keepdim)


@rule("aten.prod.default", "aten.prod.dim_int")
def _prod(w: NodeWriter, x: Ref, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    return reduced(w, "ReduceProd", w.cast(x, w.result.dtype), x.ndim, dim, keepdim)


@rule("aten.amax.default", "aten.amin.default", "aten.max.default", "aten.min.default")
def _largest(w: NodeWriter, x: Ref, dim: Any = None, keepdim: bool = False) -> Any:
    return reduced(w, "ReduceMax" if "max" in w.operation else "ReduceMin", x, x.ndim, dim, keepdim)


@rule("aten.max.dim", "aten.min.dim")
def _largest_and_place(w: NodeWriter, x: Ref, dim: int, keepdim: bool = False) -> Any:
    which = "Max" if "max" in w.operation else "Min"
    place = w.node(f"Arg{which}", x, axis=within(dim, x.ndim), keepdims=int(keepdim))
    return reduced(w, f"Reduce{which}", x, x.ndim, dim, keepdim), place


@rule("aten.any.default", "aten.any.dim", "aten.any.dims", "aten.all.default", "aten.all.dim", "aten.all.dims")
def _any(w: NodeWriter, x: Ref, dim: Any = None, keepdim: bool = False) -> Any:
    numbers = w.node("Cast", w.cast(x, torch.bool), to=6)
    which = "ReduceMax" if ".any" in w.operation else "ReduceMin"
    return w.node("Cast", reduced(w, which, numbers, x.ndim, dim, keepdim), to=9)


@rule("aten.logsumexp.default")
def _logsumexp(w: NodeWriter, x: Ref, dim: Any, keepdim: bool = False) -> Any:
    return reduced(w, "ReduceLogSumExp", x, x.ndim, dim, keepdim)


def variance(w: NodeWriter, x: Ref, dims: Any, correction: float, keepdim: bool) -> Any:
    """The variance; its sum is divided by the number of elements less the correction."""
    chosen = [within(dim, x.ndim) for dim in ([dims] if isinstance(dims, int) else dims or range(x.ndim))]
    centred = w.node("Sub", x, reduced(w, "ReduceMean", x, x.ndim, chosen, True))
    squares = w.node("Mul", centred, centred)
    if correction == 0:
        return reduced(w, "ReduceMean", squares, x.ndim, chosen, keepdim)
    sizes = [size_of(w, x, dim) for dim in chosen]
    count: Any = w.number(math.prod(size for size in sizes if isinstance(size, int)), torch.int64)
    for size in sizes:
        if isinstance(size, Ref):
            count = w.node("Mul", count, size)
    divisor = w.node("Sub", w.node("Cast", count, to=1 if x.dtype == torch.float32 else 11),
                     w.number(correction, x.dtype))  # fmt: skip
    return w.node("Div", reduced(w, "ReduceSum", squares, x.ndim, chosen, keepdim), divisor)


@rule("aten.var.correction", "aten.std.correction", "aten.var.dim", "aten.std.dim", "aten.var.default",
      "aten.std.default")  # fmt: skip
def _var(w: NodeWriter, x: Ref, dim: Any = None, unbiased: Any = True, keepdim: bool = False,
         *, correction: float | None = None) -> Any:  # fmt: skip
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    number = float(bool(unbiased)) if "correction" not in w.operation else 1.0 if correction is None else correction
    value = variance(w, x, dim, number, keepdim)
    return w.node("Sqrt", value) if ".std" in w.operation else value


@rule("aten.linalg_vector_norm.default")
def _vector_norm(w: NodeWriter, x: Ref, ord: float = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    names = {1: "ReduceL1", 2: "ReduceL2", math.inf: "ReduceMax"}
    if ord not in names:
        raise ValueError(f"norms of order 1, 2 and infinity are supported, not {ord}")
    return reduced(w, names[ord], w.node("Abs", x) if ord == math.inf else x, x.ndim, dim, keepdim)


@rule("aten.norm.ScalarOpt_dim", "aten.norm.Scalar", "aten.frobenius_norm.dim")
def _norm(w: NodeWriter, x: Ref, p: Any = 2, dim: Sequence[int] | None = None, keepdim: bool = False) -> Any:
    return _vector_norm(w, x, 2 if p is None else p, dim, keepdim)


@rule("aten.cumsum.default")
def _cumsum(w: NodeWriter, x: Ref, dim: int, **_: Any) -> Any:
    return w.node("CumSum", w.cast(x, w.result.dtype), w.scalar(within(dim, x.ndim)))


@rule("aten.softmax.int", "aten._softmax.default", "aten.log_softmax.int", "aten._log_softmax.default")
def _softmax(w: NodeWriter, x: Ref, dim: int, *_: Any, **__: Any) -> Any:
    operator = "LogSoftmax" if "log_softmax" in w.operation else "Softmax"
    return w.node(operator, w.cast(x, w.result.dtype), axis=within(dim, x.ndim))
