"""onnxruntime's own operators of quantized numbers: computed as floats, and quantized again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recurra.graph.operators.integer_products import Centred, integer_product
from recurra.graph.operators.quantized import MICROSOFT, quantized, rescaled, to_float
from recurra.graph.operators.reducing import softmax
from recurra.graph.operators.shaping import axis_of
from recurra.graph.operators.windows import PADDING, Window, means
from recurra.graph.table import Array, one_of, operator


def _floats(x: Array, scale: Array, zero: Array | None) -> Array:
    """The numbers that whole numbers stand for."""
    centred = x.astype(np.float32) if zero is None else x.astype(np.float32) - zero.astype(np.float32)
    return centred * scale


def requantized(x: Array, scale: Array, zero: Array | None, y_scale: Array, y_zero: Array) -> Array:
    """Whole numbers of another scale that stand for the same numbers."""
    return quantized(_floats(x, scale, zero), y_scale, y_zero)


def _of_two(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def run(
        a: Array,
        a_scale: Array,
        a_zero: Array | None,
        b: Array,
        b_scale: Array,
        b_zero: Array | None,
        y_scale: Array,
        y_zero: Array | None = None,
    ) -> Array:
        zero = np.zeros((), a.dtype) if y_zero is None else y_zero
        return quantized(function(_floats(a, a_scale, a_zero), _floats(b, b_scale, b_zero)), y_scale, zero)

    return run


operator("QLinearAdd", domain=MICROSOFT)(_of_two(np.add))
operator("QLinearMul", domain=MICROSOFT)(_of_two(np.multiply))


@operator("QLinearSigmoid", domain=MICROSOFT)
def qlinear_sigmoid(
    x: Array, x_scale: Array, x_zero: Array | None, y_scale: Array, y_zero: Array | None = None
) -> Array:
    """The logistic function."""
    zero = np.zeros((), x.dtype) if y_zero is None else y_zero
    return quantized(1 / (1 + np.exp(-_floats(x, x_scale, x_zero))), y_scale, zero)


@operator("QLinearLeakyRelu", domain=MICROSOFT)
def qlinear_leaky_relu(
    x: Array,
    x_scale: Array,
    x_zero: Array | None,
    y_scale: Array,
    y_zero: Array | None = None,
    *,
    alpha: float = 0.01,
) -> Array:
    """x, and alpha·x below zero."""
    zero, values = np.zeros((), x.dtype) if y_zero is None else y_zero, _floats(x, x_scale, x_zero)
    return quantized(np.where(values < 0, np.float32(alpha) * values, values), y_scale, zero)


@operator("QLinearGlobalAveragePool", domain=MICROSOFT)
def qlinear_global_average_pool(
    x: Array, x_scale: Array, x_zero: Array | None, y_scale: Array, y_zero: Array, *, channels_last: int = 0
) -> Array:
    """The mean over all but the batch and the channels."""
    axes = tuple(range(1, x.ndim - 1) if channels_last else range(2, x.ndim))
    return quantized(_floats(x, x_scale, x_zero).mean(axes, keepdims=True), y_scale, y_zero)


@operator("QLinearAveragePool", domain=MICROSOFT, auto_pad=PADDING, channels_last=one_of(0))
def qlinear_average_pool(
    x: Array,
    x_scale: Array,
    x_zero: Array | None,
    y_scale: Array,
    y_zero: Array | None = None,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Array:
    """The mean of each window's elements, as AveragePool's."""
    zero = np.zeros((), x.dtype) if y_zero is None else y_zero
    window = Window(kernel_shape, auto_pad, dilations, pads, strides, ceil_mode)
    return quantized(means(_floats(x, x_scale, x_zero), window, count_include_pad), y_scale, zero)


@operator("QLinearSoftmax", domain=MICROSOFT)
def qlinear_softmax(
    x: Array, x_scale: Array, x_zero: Array | None, y_scale: Array, y_zero: Array, *, axis: int = -1, opset: int = 13
) -> Array:
    """Softmax over an axis; up to ``opset`` 12 over all dimensions from the axis on."""
    values, place = _floats(x, x_scale, x_zero), axis_of(axis, x.ndim)
    axes = (place,) if opset >= 13 else tuple(range(place, x.ndim))
    return quantized(softmax(values, axes), y_scale, y_zero)


@operator("QLinearWhere", domain=MICROSOFT)
def qlinear_where(
    condition: Array,
    a: Array,
    a_scale: Array,
    a_zero: Array,
    b: Array,
    b_scale: Array,
    b_zero: Array,
    y_scale: Array,
    y_zero: Array,
) -> Array:
    """a where the condition holds, else b."""
    left, right = requantized(a, a_scale, a_zero, y_scale, y_zero), requantized(b, b_scale, b_zero, y_scale, y_zero)
    return np.where(condition, left, right)


@operator("QLinearConcat", domain=MICROSOFT)
def qlinear_concat(y_scale: Array, y_zero: Array, *parts: Array, axis: int) -> Array:
    """Arrays one after the other; each is given with its scale and zero point."""
    arrays = [_floats(*parts[begin : begin + 3]) for begin in range(0, len(parts), 3)]
    return quantized(np.concatenate(arrays, axis), y_scale, y_zero)


@operator("QGemm", domain=MICROSOFT)
def qgemm(
    a: Array,
    a_scale: Array,
    a_zero: Array,
    b: Array,
    b_scale: Array,
    b_zero: Array,
    c: Array | None = None,
    y_scale: Array | None = None,
    y_zero: Array | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Array:
    """alpha·a·b + c for whole numbers, c int32 at the product's scale; as floats where no scale is given."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"two matrices are needed, not {a.ndim} and {b.ndim} dimensions")
    left, right = Centred.of(a.T if transA else a, a_zero, -2), Centred.of(b.T if transB else b, b_zero, -1)
    product = integer_product(left, right)
    if c is not None:
        product = product + c
    scale = np.float32(alpha) * a_scale * b_scale
    if y_scale is None:
        return to_float(product, scale, None)
    return rescaled(product, scale / y_scale, np.zeros((), a.dtype) if y_zero is None else y_zero)
