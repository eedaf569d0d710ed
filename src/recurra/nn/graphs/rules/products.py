"""Matrix products and attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from recurra.nn.graphs.rules.shaping import moved
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref


@rule("aten.linear.default")
def _linear(w: NodeWriter, x: Ref, weight: Ref, bias: Ref | None = None) -> Any:
    product = w.node("MatMul", x, w.node("Transpose", weight, perm=(1, 0)))
    return product if bias is None else w.node("Add", product, bias)


@rule("aten.matmul.default", "aten.mm.default", "aten.bmm.default", "aten.mv.default", "aten.dot.default")
def _matmul(w: NodeWriter, a: Ref, b: Ref) -> Any:
    return w.node("MatMul", a, b)


@rule("aten.addmm.default", "aten.baddbmm.default", "aten.addmv.default")
def _addmm(w: NodeWriter, c: Ref, a: Ref, b: Ref, *, beta: float = 1, alpha: float = 1) -> Any:
    product: Any = w.node("MatMul", a, b)
    product = product if alpha == 1 else w.node("Mul", product, w.number(alpha, a.dtype))
    added: Any = c if beta == 1 else w.node("Mul", c, w.number(beta, c.dtype))
    return w.node("Add", product, added)


@rule("aten.einsum.default")
def _einsum(w: NodeWriter, equation: str, tensors: Sequence[Ref], **_: Any) -> Any:
    return w.node("Einsum", *tensors, equation=equation)


@rule("aten.outer.default")
def _outer(w: NodeWriter, a: Ref, b: Ref) -> Any:
    return w.node("Mul", w.node("Unsqueeze", a, w.ints(1)), b)


@rule("aten.scaled_dot_product_attention.default")
def _attention(
    w: NodeWriter, q: Ref, k: Ref, v: Ref, mask: Ref | None = None, dropout_p: float = 0.0, is_causal: bool = False,
    *, scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """softmax(q·kᵀ·scale + mask)·v."""
    features = q.size(-1)
    if enable_gqa or features is None:
        raise ValueError("attention with grouped heads, or with features of a free size, is not supported")
    order = [*range(k.ndim - 2), k.ndim - 1, k.ndim - 2]
    factor = w.number(1 / math.sqrt(features) if scale is None else scale, q.dtype)
    scores = w.node("MatMul", w.node("Mul", q, factor), moved(w, k, order))
    if is_causal:
        scores = _hidden(w, scores, _causal(w, q, k), q.dtype)
    if mask is not None:
        scores = _hidden(w, scores, mask, q.dtype) if mask.dtype == torch.bool else w.node("Add", scores, mask)
    return w.node("MatMul", w.node("Softmax", scores, axis=-1), v)


def _hidden(w: NodeWriter, scores: Any, seen: Any, dtype: torch.dtype) -> Any:
    return w.node("Where", seen, scores, w.number(-math.inf, dtype))


def _causal(w: NodeWriter, q: Ref, k: Ref) -> Any:
    """Whether each query sees each key: those up to its own number."""
    counts = [w.node("Gather", w.node("Shape", each), w.number(each.ndim - 2, torch.int64), axis=0) for each in (q, k)]
    zero, one = w.number(0, torch.int64), w.number(1, torch.int64)
    rows, columns = (w.node("Range", zero, count, one) for count in counts)
    return w.node("GreaterOrEqual", w.node("Unsqueeze", rows, w.ints(1)), columns)
