"""Convolutions over time, zeros and copies around steps."""

from __future__ import annotations

import numpy as np

from recurra.conversion.arrays import Array
from recurra.conversion.keras_graphs.rules.activations import activated
from recurra.conversion.keras_graphs.table import RuleCall, keras_rule, known_width
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter


def channels_first(w: KerasWriter, call: RuleCall, x: KerasValue) -> str:
    """A value (batch, steps, features) as (batch, features, steps).

    Raises:
        ValueError: it has other dimensions, or the layer has the features first.
    """
    if call.settings.get("data_format", "channels_last") != "channels_last":
        raise ValueError("data_format='channels_first' is not supported")
    if x.rank != 3:
        raise ValueError(f"its input must be (batch, steps, features); it has {x.rank} dimensions")
    return w.transpose(w.real(x), (0, 2, 1))


def padded(w: KerasWriter, y: str, before: int, after: int) -> str:
    """A value (batch, features, steps) with zeros before and behind its steps."""
    return str(w.node("Pad", y, w.whole(0, 0, before, 0, 0, after))) if before or after else y


def windows(size: int | None, kernel: int, stride: int, padding: str) -> int | None:
    """The number of windows over so many steps; None where these are free."""
    if size is None:
        return None
    return (size - kernel) // stride + 1 if padding == "valid" else -(-size // stride)


def padding_of(call: RuleCall, *known: str) -> str:
    """The layer's padding.

    Raises:
        ValueError: it is another one than is known.
    """
    given = call.settings.get("padding", "valid")
    if given not in known:
        raise ValueError(f"padding={str(given)[:40]!r} is not supported, only {', '.join(known)}")
    return str(given)


def _convolved(
    w: KerasWriter, call: RuleCall, x: str, steps: int | None, weight: Array, bias: Array | None, groups: int
) -> tuple[str, int | None]:
    """The convolution of (batch, features, steps), and its number of steps; weight (out, in / groups, taps)."""
    padding = padding_of(call, "valid", "same", "causal")
    stride, dilation = call.size("strides"), call.size("dilation_rate")
    reach = (weight.shape[2] - 1) * dilation + 1
    if padding == "causal":
        x = padded(w, x, reach - 1, 0)
    operands = [x, w.constant(weight, f"{w.label}.kernel")]
    if bias is not None:
        operands.append(w.constant(bias, f"{w.label}.bias"))
    y = w.node(
        "Conv", *operands, strides=(stride,), dilations=(dilation,), group=groups, kernel_shape=(weight.shape[2],),
        auto_pad="SAME_UPPER" if padding == "same" else "VALID",
    )  # fmt: skip
    return str(y), windows(steps, reach, stride, padding)


def _result(w: KerasWriter, call: RuleCall, y: str, steps: int | None, features: int) -> KerasValue:
    """The layer's output, behind its activation; its steps are no longer those of a mask."""
    return KerasValue(activated(w, w.transpose(y, (0, 2, 1)), call.layer), (None, steps, features))


@keras_rule("Conv1D", "Convolution1D")
def _conv(w: KerasWriter, call: RuleCall) -> KerasValue:
    """A convolution; its kernel is (taps, in / groups, out)."""
    kernel, *bias = call.weights.take("kernel", *call.bias_roles)
    groups, width = call.size("groups"), known_width(call.x)
    if kernel.ndim != 3 or kernel.shape[1] * groups != width or kernel.shape[2] % groups or not kernel.size:
        raise ValueError(f"kernel (taps, in={width}/{groups} groups, out) is needed; it has {kernel.shape}")
    x = channels_first(w, call, call.x)
    y, steps = _convolved(w, call, x, call.x.shape[1], kernel.transpose(2, 1, 0), bias[0] if bias else None, groups)
    return _result(w, call, y, steps, kernel.shape[2])


def _by_channel(kernel: Array, width: int) -> Array:
    """A kernel (taps, in, multiples) of convolutions of each feature by itself, as (in * multiples, 1, taps)."""
    if kernel.ndim != 3 or kernel.shape[1] != width or not kernel.size:
        raise ValueError(f"kernel (taps, in={width}, multiples) is needed; it has {kernel.shape}")
    return np.asarray(kernel.transpose(1, 2, 0).reshape(-1, 1, kernel.shape[0]))


@keras_rule("DepthwiseConv1D")
def _depthwise(w: KerasWriter, call: RuleCall) -> KerasValue:
    role = "kernel" if "kernel" in call.weights.by_role else "depthwise_kernel"
    kernel, *bias = call.weights.take(role, *call.bias_roles)
    width = known_width(call.x)
    weight, x = _by_channel(kernel, width), channels_first(w, call, call.x)
    y, steps = _convolved(w, call, x, call.x.shape[1], weight, bias[0] if bias else None, width)
    return _result(w, call, y, steps, len(weight))


@keras_rule("SeparableConv1D", "SeparableConvolution1D")
def _separable(w: KerasWriter, call: RuleCall) -> KerasValue:
    """Convolutions of each feature by itself, then a product at each step."""
    kernel, point, *bias = call.weights.take("depthwise_kernel", "pointwise_kernel", *call.bias_roles)
    width = known_width(call.x)
    weight, x = _by_channel(kernel, width), channels_first(w, call, call.x)
    if point.ndim != 3 or point.shape[:2] != (1, len(weight)):
        raise ValueError(f"pointwise_kernel (1, {len(weight)}, out) is needed; it has {point.shape}")
    y, steps = _convolved(w, call, x, call.x.shape[1], weight, None, width)
    y = w.node("MatMul", w.transpose(y, (0, 2, 1)), w.constant(point[0], f"{w.label}.pointwise"))
    if bias:
        y = w.node("Add", y, w.constant(bias[0], f"{w.label}.bias"))
    return KerasValue(activated(w, y, call.layer), (None, steps, point.shape[2]))


@keras_rule("Conv1DTranspose", "Convolution1DTranspose")
def _turned(w: KerasWriter, call: RuleCall) -> KerasValue:
    """A transposed convolution; its kernel is (taps, out, in)."""
    kernel, *bias = call.weights.take("kernel", *call.bias_roles)
    padding, stride, dilation = padding_of(call, "valid", "same"), call.size("strides"), call.size("dilation_rate")
    width = known_width(call.x)
    if kernel.ndim != 3 or kernel.shape[2] != width or not kernel.size:
        raise ValueError(f"kernel (taps, out, in={width}) is needed; it has {kernel.shape}")
    if call.settings.get("output_padding") not in (None, [None]):
        raise ValueError("output_padding is not supported")
    taps = kernel.shape[0]
    reach = (taps - 1) * dilation + 1
    operands = [channels_first(w, call, call.x), w.constant(kernel.transpose(2, 1, 0), f"{w.label}.kernel")]
    operands += [w.constant(each, f"{w.label}.bias") for each in bias]
    y = w.node("ConvTranspose", *operands, strides=(stride,), dilations=(dilation,), kernel_shape=(taps,))
    steps, whole = call.x.shape[1], None if call.x.shape[1] is None else (call.x.shape[1] - 1) * stride + reach
    excess = reach - stride  # steps beyond those that "same" has, and those that are missing behind
    if padding == "same" and excess > 0:
        before = excess // 2
        end = before - excess
        y = w.node("Slice", y, w.whole(before), w.whole(end or 2**62), w.whole(2))
    elif excess < 0:
        y = padded(w, y, 0, -excess)
    if whole is not None:
        whole = whole - excess if padding == "same" else whole + max(0, -excess)
    return _result(w, call, y, whole if steps is not None else None, kernel.shape[1])


def _pair(call: RuleCall, name: str) -> tuple[int, int]:
    """A setting of two numbers that are not negative.

    Raises:
        ValueError: it is something else.
    """
    given = call.settings.get(name)
    while isinstance(given, list) and len(given) == 1:
        given = given[0]
    pair = [given, given] if type(given) is int else given
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(n) is int and 0 <= n < 2**31 for n in pair):
        raise ValueError(f"{name} must be two whole numbers; it is {str(given)[:60]}")
    return pair[0], pair[1]


@keras_rule("ZeroPadding1D")
def _zero_padding(w: KerasWriter, call: RuleCall) -> KerasValue:
    before, after = _pair(call, "padding")
    y = w.transpose(padded(w, channels_first(w, call, call.x), before, after), (0, 2, 1))
    steps = call.x.shape[1]
    return KerasValue(y, (None, None if steps is None else steps + before + after, call.x.shape[2]))


@keras_rule("Cropping1D")
def _cropping(w: KerasWriter, call: RuleCall) -> KerasValue:
    before, after = _pair(call, "cropping")
    y = w.node("Slice", call.x.name, w.whole(before), w.whole(-after or 2**62), w.whole(1))
    steps = call.x.shape[1]
    shape = (None, None if steps is None else max(0, steps - before - after), *call.x.shape[2:])
    return KerasValue(str(y), shape, kind=call.x.kind)


@keras_rule("UpSampling1D")
def _up_sampling(w: KerasWriter, call: RuleCall) -> KerasValue:
    """Each step several times."""
    x, size = call.x, call.size("size", 2)
    if x.rank != 3:
        raise ValueError(f"its input must be (batch, steps, features); it has {x.rank} dimensions")
    wide = w.node("Tile", w.node("Unsqueeze", x.name, w.whole(2)), w.whole(1, 1, size, 1))
    y = w.node("Reshape", wide, w.node("Concat", w.size(x.name, 0), w.whole(-1), w.size(x.name, 2), axis=0))
    return KerasValue(str(y), (None, None if x.shape[1] is None else x.shape[1] * size, x.shape[2]), kind=x.kind)
