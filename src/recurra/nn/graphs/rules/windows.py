"""Convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.nn.graphs.rules.shaping import size_of
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref


def each(value: Any, count: int) -> tuple[int, ...]:
    """A setting for each dimension, from a number or a sequence."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * count if len(values) == 1 else values


def batched(w: NodeWriter, x: Ref, spatial: int) -> tuple[Any, bool]:
    """A tensor with a dimension for the batch, and whether it had one."""
    has_batch = x.ndim == spatial + 2
    return (x if has_batch else w.node("Unsqueeze", x, w.ints(0))), has_batch


def _convolved(
    w: NodeWriter, x: Ref, weight: Ref, bias: Ref | None, stride: Any, pads: Any, dilation: Any, groups: int
) -> Any:
    count = weight.ndim - 2
    own, has_batch = batched(w, x, count)
    padding: dict[str, Any]
    steps, reach = each(stride, count), each(dilation, count)
    if isinstance(pads, str):
        total = [d * ((weight.size(2 + n) or 1) - 1) if pads == "same" else 0 for n, d in enumerate(reach)]
        padding = {"pads": tuple([t // 2 for t in total] + [t - t // 2 for t in total])}
    else:
        padding = {"pads": each(pads, count) * 2}
    y = w.node("Conv", own, weight, bias, strides=steps, dilations=reach, group=groups, **padding)
    return y if has_batch else w.node("Squeeze", y, w.ints(0))


@rule("aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default", "aten.conv1d.padding",
      "aten.conv2d.padding", "aten.conv3d.padding")  # fmt: skip
def _conv(
    w: NodeWriter, x: Ref, weight: Ref, bias: Ref | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Any:  # fmt: skip
    return _convolved(w, x, weight, bias, stride, padding, dilation, groups)


@rule("aten.convolution.default")
def _convolution(
    w: NodeWriter, x: Ref, weight: Ref, bias: Ref | None, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Any:  # fmt: skip
    if transposed:
        return _turned_convolution(w, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolved(w, x, weight, bias, stride, padding, dilation, groups)


@rule("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input")
def _turned_convolution(
    w: NodeWriter, x: Ref, weight: Ref, bias: Ref | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    count = weight.ndim - 2
    own, has_batch = batched(w, x, count)
    y = w.node(
        "ConvTranspose", own, weight, bias, strides=each(stride, count), pads=each(padding, count) * 2,
        dilations=each(dilation, count), group=groups, output_padding=each(output_padding, count),
    )  # fmt: skip
    return y if has_batch else w.node("Squeeze", y, w.ints(0))


@rule(
    "aten.max_pool1d.default",
    "aten.max_pool2d.default",
    "aten.max_pool3d.default",
    "aten.max_pool2d_with_indices.default",
    "aten.max_pool3d_with_indices.default",
)
def _max_pool(
    w: NodeWriter, x: Ref, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    count = int(w.operation[len("aten.max_pool")])
    own, has_batch = batched(w, x, count)
    y = w.node(
        "MaxPool", own, kernel_shape=each(kernel, count), strides=each(stride or kernel, count),
        pads=each(padding, count) * 2, dilations=each(dilation, count), ceil_mode=int(ceil_mode),
    )  # fmt: skip
    y = y if has_batch else w.node("Squeeze", y, w.ints(0))
    return (y, None) if "indices" in w.operation else y  # the places are not computed


@rule("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def _avg_pool(
    w: NodeWriter, x: Ref, kernel: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    if divisor_override is not None:
        raise ValueError("divisor_override is not supported")
    count = int(w.operation[len("aten.avg_pool")])
    own, has_batch = batched(w, x, count)
    y = w.node(
        "AveragePool", own, kernel_shape=each(kernel, count), strides=each(stride or kernel, count),
        pads=each(padding, count) * 2, ceil_mode=int(ceil_mode), count_include_pad=int(count_include_pad),
    )  # fmt: skip
    return y if has_batch else w.node("Squeeze", y, w.ints(0))


@rule("aten.upsample_nearest1d.vec", "aten.upsample_nearest2d.vec", "aten.upsample_nearest1d.default",
      "aten.upsample_nearest2d.default", "aten.upsample_linear1d.vec", "aten.upsample_bilinear2d.vec",
      "aten.upsample_linear1d.default", "aten.upsample_bilinear2d.default", "aten.upsample_bicubic2d.vec",
      "aten._upsample_nearest_exact1d.vec", "aten._upsample_nearest_exact2d.vec")  # fmt: skip
def _upsample(w: NodeWriter, x: Ref, sizes: Sequence[Any] | None, *options: Any) -> Any:
    is_nearest, is_vec = "nearest" in w.operation, w.operation.endswith(".vec")
    align = False if is_nearest else bool(options[0])
    rest = options if is_nearest else options[1:]
    factors = rest[0] if is_vec and rest else None
    mode: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if "exact" in w.operation:
        mode = {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}
    if not is_nearest:
        kind = "cubic" if "cubic" in w.operation else "linear"
        mode = {"mode": kind, "coordinate_transformation_mode": "align_corners" if align else "half_pixel"}
    if factors is not None:
        scales = w.tensor(np.array([1, 1, *factors], np.float32))
        return w.node("Resize", x, None, scales, **mode)
    if sizes is None:
        raise ValueError("interpolation needs a size or a scale factor")
    whole = w.shape([size_of(w, x, 0), size_of(w, x, 1), *sizes])
    return w.node("Resize", x, None, None, whole, **mode)
