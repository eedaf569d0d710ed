"""Norms, with the statistics of evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.nn.graphs.rules.shaping import size_of
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref, numpy_dtype


@rule("aten.layer_norm.default")
def _layer_norm(
    w: NodeWriter, x: Ref, shape: Sequence[int], weight: Ref | None = None, bias: Ref | None = None,
    eps: float = 1e-5, *_: Any,
) -> Any:  # fmt: skip
    scale: Any = w.tensor(np.ones(tuple(shape), numpy_dtype(x.dtype))) if weight is None else weight
    return w.node("LayerNormalization", x, scale, bias, axis=-len(shape), epsilon=eps)


@rule("aten.rms_norm.default")
def _rms_norm(w: NodeWriter, x: Ref, shape: Sequence[int], weight: Ref | None = None, eps: float | None = None) -> Any:
    axes = w.ints(*range(-len(shape), 0))
    mean = w.node("ReduceMean", w.node("Mul", x, x), axes, keepdims=1)
    small = float(np.finfo(numpy_dtype(x.dtype)).eps) if eps is None else eps
    y = w.node("Div", x, w.node("Sqrt", w.node("Add", mean, w.number(small, x.dtype))))
    return y if weight is None else w.node("Mul", y, weight)


@rule("aten.batch_norm.default")
def _batch_norm(
    w: NodeWriter, x: Ref, weight: Ref | None, bias: Ref | None, mean: Ref | None, variance: Ref | None,
    training: bool, momentum: float, eps: float, *_: Any,
) -> Any:  # fmt: skip
    if training or mean is None or variance is None:
        raise ValueError("batch norm by the statistics of the batch is not supported: track_running_stats, and eval()")
    dtype = numpy_dtype(x.dtype)
    scale: Any = w.tensor(np.ones(mean.val.shape, dtype)) if weight is None else weight
    offset: Any = w.tensor(np.zeros(mean.val.shape, dtype)) if bias is None else bias
    return w.node("BatchNormalization", x, scale, offset, mean, variance, epsilon=eps)


@rule("aten._native_batch_norm_legit_no_training.default")
def _native_batch_norm(
    w: NodeWriter, x: Ref, weight: Ref | None, bias: Ref | None, mean: Ref, variance: Ref, momentum: float, eps: float
) -> Any:
    return _batch_norm(w, x, weight, bias, mean, variance, False, momentum, eps), None, None


@rule("aten.native_layer_norm.default")
def _native_layer_norm(
    w: NodeWriter, x: Ref, shape: Sequence[int], weight: Ref | None, bias: Ref | None, eps: float
) -> Any:
    return _layer_norm(w, x, shape, weight, bias, eps), None, None


@rule("aten.native_group_norm.default")
def _native_group_norm(
    w: NodeWriter, x: Ref, weight: Ref | None, bias: Ref | None, n: Any, c: Any, hxw: Any, groups: int, eps: float
) -> Any:
    return _group_norm(w, x, groups, weight, bias, eps), None, None


@rule("aten.instance_norm.default")
def _instance_norm(
    w: NodeWriter, x: Ref, weight: Ref | None, bias: Ref | None, mean: Ref | None, variance: Ref | None,
    use_input_stats: bool, momentum: float, eps: float, *_: Any,
) -> Any:  # fmt: skip
    if not use_input_stats:
        return _batch_norm(w, x, weight, bias, mean, variance, False, momentum, eps)
    channels, dtype = x.size(1), numpy_dtype(x.dtype)
    scale: Any = w.tensor(np.ones(channels or 0, dtype)) if weight is None else weight
    offset: Any = w.tensor(np.zeros(channels or 0, dtype)) if bias is None else bias
    return w.node("InstanceNormalization", x, scale, offset, epsilon=eps)


@rule("aten.group_norm.default")
def _group_norm(
    w: NodeWriter, x: Ref, groups: int, weight: Ref | None = None, bias: Ref | None = None, eps: float = 1e-5, *_: Any
) -> Any:
    """Each group of channels standardized as one channel; then a scale and an offset for each channel."""
    dtype = numpy_dtype(x.dtype)
    joined = w.node("Reshape", x, w.ints(0, groups, -1))
    ones, zeros = w.tensor(np.ones(groups, dtype)), w.tensor(np.zeros(groups, dtype))
    normal = w.node("InstanceNormalization", joined, ones, zeros, epsilon=eps)
    y = w.node("Reshape", normal, w.shape([size_of(w, x, dim) for dim in range(x.ndim)]))
    for operator, parameter in (("Mul", weight), ("Add", bias)):
        if parameter is not None:
            y = w.node(operator, y, w.node("Reshape", parameter, w.ints(-1, *(1,) * (x.ndim - 2))))
    return y
