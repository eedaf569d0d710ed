"""Operators that normalize by mean and variance, and dropout, which does nothing outside of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.graph.operators.limits import check_onto
from recurra.graph.operators.shaping import axis_of
from recurra.graph.table import Array, NodeInfo, building_operator, one_of, operator


def _wide(x: Array) -> Array:
    """x in the dtype of sums: half precision is computed in float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _along_channels(parameter: Array, x: Array) -> Array:
    """A value for each channel, (channels,), reshaped to broadcast with x, (batch, channels, …)."""
    if x.ndim < 2 or parameter.shape != x.shape[1:2]:
        raise ValueError(f"there must be a value for each channel of {x.shape}; got {parameter.shape}")
    return _wide(parameter).reshape(1, -1, *(1,) * (x.ndim - 2))


def standardized(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array, Array]:
    """x with mean 0 and variance 1 along axes, its mean, and 1 over its standard deviation."""
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    scale = 1 / np.sqrt((centred * centred).mean(axes, keepdims=True) + x.dtype.type(epsilon))
    return centred * scale, mean, scale


@operator("LayerNormalization", outputs=3, stash_type=one_of(1))
def layer_normalization(
    x: Array, scale: Array, bias: Array | None = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Array, Array, Array]:
    """x standardized along ``axis`` and all after it, times a scale, plus a bias; its mean; 1 over its deviation."""
    axes = tuple(range(axis_of(axis, x.ndim), x.ndim))
    check_onto(x.shape, scale, *(() if bias is None else (bias,)))
    normal, mean, deviation = standardized(_wide(x), axes, epsilon)
    y = normal.astype(x.dtype) * scale
    return y if bias is None else y + bias, mean.astype(np.float32), deviation.astype(np.float32)


@operator("RMSNormalization", stash_type=one_of(1))
def rms_normalization(x: Array, scale: Array, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Array:
    """x divided by its root mean square along ``axis`` and all after it, times a scale."""
    axes = tuple(range(axis_of(axis, x.ndim), x.ndim))
    check_onto(x.shape, scale)
    wide = _wide(x)
    normal = wide / np.sqrt((wide * wide).mean(axes, keepdims=True) + wide.dtype.type(epsilon))
    return normal.astype(x.dtype) * scale


@operator("InstanceNormalization")
def instance_normalization(x: Array, scale: Array, bias: Array, *, epsilon: float = 1e-5) -> Array:
    """x standardized for each example and channel, times a scale, plus a bias."""
    normal, _, _ = standardized(_wide(x), tuple(range(2, x.ndim)), epsilon)
    y = normal * _along_channels(scale, x) + _along_channels(bias, x)
    return y.astype(x.dtype)


@operator("GroupNormalization", since=21, stash_type=one_of(1))
def group_normalization(
    x: Array, scale: Array, bias: Array, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Array:
    """x standardized for each example and group of channels, times a scale, plus a bias."""
    grouped = _wide(x).reshape(x.shape[0], num_groups, -1)
    normal = standardized(grouped, (2,), epsilon)[0].reshape(x.shape).astype(x.dtype)
    y = normal * _along_channels(scale, x) + _along_channels(bias, x)
    return y.astype(x.dtype)


@operator("BatchNormalization", until=13, spatial=one_of(1))
def batch_normalization_in_use(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    variance: Array,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
) -> Array:
    """x standardized by a given mean and variance, times a scale, plus a bias."""
    return batch_normalization(x, scale, bias, mean, variance, epsilon=epsilon)


@operator("BatchNormalization", since=14, training_mode=one_of(0))
def batch_normalization(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    variance: Array,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Array:
    """x standardized by a given mean and variance, times a scale, plus a bias."""
    scale, bias, mean, variance = (_along_channels(each, x) for each in (scale, bias, mean, variance))
    factor = scale / np.sqrt(variance + variance.dtype.type(epsilon))
    return ((_wide(x) - mean) * factor + bias).astype(x.dtype)


@building_operator("Dropout", until=11, outputs=2)
def dropout_in_use(node: NodeInfo, *, ratio: float = 0.5) -> Any:
    """x, and a mask that keeps everything."""
    return _keep_everything(node)


@building_operator("Dropout", since=12, outputs=2)
def dropout(node: NodeInfo, *, seed: int = 0) -> Any:
    """x, and a mask that keeps everything; training is not supported."""
    training = node.constant(2)
    if training is not None and training.any():
        raise ValueError("training_mode is not supported")
    return _keep_everything(node)


def _keep_everything(node: NodeInfo) -> Any:
    def run(x: Array, ratio: Array | None = None, training: Array | None = None) -> tuple[Array, ...]:
        if training is not None and training.any() and (ratio is None or ratio.any()):
            raise ValueError("training_mode is not supported")
        return (x, np.ones(x.shape, bool)) if len(node.outputs) > 1 else (x,)

    return run
