"""Operators of quantized graphs: whole numbers of 8 or 16 bits that stand for scale · (number - zero point)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recurra.graph.dtypes import read_dtype
from recurra.graph.operators.integer_products import Centred, integer_convolution, integer_product
from recurra.graph.operators.windows import PADDING
from recurra.graph.table import Array, NodeFunction, NodeInfo, building_operator, operator

MICROSOFT = "com.microsoft"
_QUANTA = ("int8", "uint8", "int16", "uint16")


def _along(parameter: Array, x: Array, axis: int, block_size: int = 0) -> Array:
    """A scale or zero point as it broadcasts to x: one number, one for each index of an axis, or one for each block."""
    if block_size:
        if parameter.ndim != x.ndim or not 0 < block_size <= max(1, x.shape[axis]):
            raise ValueError(f"blocks of {block_size} do not fit {x.shape} and scales {parameter.shape}")
        return np.repeat(parameter, block_size, axis)[tuple(slice(size) for size in x.shape)]
    if parameter.ndim == 0 or parameter.size == 1:
        return parameter.reshape(())
    if parameter.shape != (x.shape[axis],):
        raise ValueError(f"scale and zero point must be one number or {x.shape[axis]} along axis {axis}")
    shape = [1] * x.ndim
    shape[axis] = -1
    return parameter.reshape(shape)


def quantized(x: Array, scale: Array, zero: Array) -> Array:
    """The nearest whole numbers of x / scale, even ones at a tie, plus the zero point, in its dtype and range."""
    limits = np.iinfo(zero.dtype)
    rounded = np.rint(x / scale) + zero
    return np.clip(rounded, limits.min, limits.max).astype(zero.dtype)


def _quantize(
    x: Array,
    scale: Array,
    zero: Array | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Array:
    """Whole numbers for x; ``saturate`` and ``precision`` are about types that are not supported, and float16."""
    if zero is None:
        zero = np.zeros(scale.shape, read_dtype(output_dtype) if output_dtype else np.uint8)
    if zero.dtype.name not in _QUANTA:
        raise ValueError(f"zero point must be one of {', '.join(_QUANTA)}; got {zero.dtype}")
    scale = scale.astype(np.float32, copy=False)
    x = x.astype(np.float32, copy=False)
    return quantized(x, _along(scale, x, axis, block_size), _along(zero, x, axis, block_size))


def _dequantize(
    x: Array,
    scale: Array,
    zero: Array | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Array:
    """The numbers that whole numbers stand for, in the scale's dtype."""
    whole = x.astype(np.int32)
    if zero is not None:
        whole = whole - _along(zero, x, axis, block_size)
    values = whole.astype(np.float32) * _along(scale, x, axis, block_size)
    return values.astype(read_dtype(output_dtype) if output_dtype else scale.dtype, copy=False)


for _domain in ("", MICROSOFT):  # onnxruntime's quantizer writes some types in its own domain
    operator("QuantizeLinear", domain=_domain)(_quantize)
    operator("DequantizeLinear", domain=_domain)(_dequantize)


def dynamic_parameters(least: Array, largest: Array) -> tuple[Array, Array]:
    """The scale, float32, and zero point, uint8, for numbers of a range, which also holds zero."""
    least, largest = np.minimum(least, np.float32(0)), np.maximum(largest, np.float32(0))
    spread = largest - least
    scale = np.where(spread == 0, np.float32(1), spread / np.float32(255)).astype(np.float32)
    zero = np.rint(np.clip(-least / scale, 0, 255)).astype(np.uint8)
    return scale, zero


def dynamically_quantized(x: Array) -> tuple[Array, Array, Array]:
    """Whole numbers for x, uint8, by its own range; their scale and zero point."""
    scale, zero = dynamic_parameters(x.min(initial=0), x.max(initial=0))
    return quantized(x, scale, zero), scale, zero


@operator("DynamicQuantizeLinear", outputs=3)
def dynamic_quantize_linear(x: Array) -> tuple[Array, Array, Array]:
    """Whole numbers for x, uint8, their scale and zero point."""
    return dynamically_quantized(x.astype(np.float32, copy=False))


# ---- products ----


def _weights(node: NodeInfo, number: int, zero: int, axis: int) -> Callable[[Array, Array | None], Centred]:
    """A function that centres a node's weights: once, where they and their zero points are known while loading."""
    known, offset = node.constant(number), node.constant(zero)
    if known is None or (offset is None and node.has(zero)):
        return lambda b, b_zero: Centred.of(b, b_zero, axis)
    ready = Centred.of(known, offset, axis)
    return lambda b, b_zero: ready


@building_operator("MatMulInteger")
def matmul_integer(node: NodeInfo) -> NodeFunction:
    """The product of two matrices of 8-bit numbers minus their zero points, int32."""
    weights = _weights(node, 1, 3, -1)

    def run(a: Array, b: Array, a_zero: Array | None = None, b_zero: Array | None = None) -> Array:
        return integer_product(Centred.of(a, a_zero, -2), weights(b, b_zero))

    return run


@building_operator("QLinearMatMul")
def qlinear_matmul(node: NodeInfo) -> NodeFunction:
    """The product of two quantized matrices, quantized."""
    weights = _weights(node, 3, 5, -1)

    def run(
        a: Array, a_scale: Array, a_zero: Array, b: Array, b_scale: Array, b_zero: Array, y_scale: Array, y_zero: Array
    ) -> Array:
        product = integer_product(Centred.of(a, a_zero, -2), weights(b, b_zero))
        return rescaled(product, _matrix_scale(a_scale, -2) * _matrix_scale(b_scale, -1) / y_scale, y_zero)

    return run


@building_operator("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(node: NodeInfo) -> NodeFunction:
    """The product of a, quantized by its own range, and a quantized matrix, plus a bias; float32."""
    weights = _weights(node, 1, 3, -1)

    def run(a: Array, b: Array, b_scale: Array, b_zero: Array | None = None, bias: Array | None = None) -> Array:
        whole, scale, zero = dynamically_quantized(a)
        product = integer_product(Centred.of(whole, zero, -2), weights(b, b_zero))
        return to_float(product, scale * _matrix_scale(b_scale, -1), bias)

    return run


@building_operator("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_integer_to_float(node: NodeInfo) -> NodeFunction:
    """The product of two quantized matrices, plus a bias; float32."""
    weights = _weights(node, 1, 5, -1)

    def run(
        a: Array,
        b: Array,
        a_scale: Array,
        b_scale: Array,
        a_zero: Array | None = None,
        b_zero: Array | None = None,
        bias: Array | None = None,
    ) -> Array:
        product = integer_product(Centred.of(a, a_zero, -2), weights(b, b_zero))
        return to_float(product, _matrix_scale(a_scale, -2) * _matrix_scale(b_scale, -1), bias)

    return run


def _matrix_scale(scale: Array, axis: int) -> Array:
    """The scale of each row (axis -2) or column (axis -1), as it broadcasts to a product."""
    if scale.size == 1:
        return scale.reshape(())
    return scale[:, None] if axis == -2 and scale.ndim == 1 else scale


def to_float(product: Array, scale: Array, bias: Array | None) -> Array:
    """The numbers that a product, int32, stands for, plus a bias."""
    values = product.astype(np.float32) * scale
    return values if bias is None else values + bias


def rescaled(product: Array, scale: Array, y_zero: Array) -> Array:
    """The whole numbers of a product, int32, at another scale."""
    limits = np.iinfo(y_zero.dtype)
    rounded = np.rint(product.astype(np.float32) * scale.astype(np.float32)) + y_zero
    return np.clip(rounded, limits.min, limits.max).astype(y_zero.dtype)


# ---- convolutions ----


@building_operator("ConvInteger", auto_pad=PADDING)
def conv_integer(
    node: NodeInfo,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> NodeFunction:
    """The convolution of 8-bit numbers minus their zero points, int32; the padding has the zero point's number."""
    weights = _weights(node, 1, 3, 0)

    def run(x: Array, w: Array, x_zero: Array | None = None, w_zero: Array | None = None) -> Array:
        window = (auto_pad, dilations, group, kernel_shape, pads, strides)
        return integer_convolution(Centred.of(x, x_zero, 1), weights(w, w_zero), *window)

    return run


@building_operator("QLinearConv", auto_pad=PADDING)
def qlinear_conv(
    node: NodeInfo,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> NodeFunction:
    """The convolution of quantized numbers, quantized; the bias, int32, has the scale of the product."""
    weights = _weights(node, 3, 5, 0)

    def run(
        x: Array,
        x_scale: Array,
        x_zero: Array,
        w: Array,
        w_scale: Array,
        w_zero: Array,
        y_scale: Array,
        y_zero: Array,
        bias: Array | None = None,
    ) -> Array:
        window = (auto_pad, dilations, group, kernel_shape, pads, strides)
        sums = integer_convolution(Centred.of(x, x_zero, 1), weights(w, w_zero), *window)
        by_filter = (-1, *(1,) * (x.ndim - 2))
        if bias is not None:
            sums = sums + bias.reshape(by_filter)
        return rescaled(sums, (x_scale * w_scale / y_scale).reshape(by_filter), y_zero)

    return run
