"""Products and convolutions of 8-bit numbers as native steps, with weights that never change.

They give the bits of operators/quantized.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.engines.steps import IntegerProduct
from recurra.graph.settling.node import SettlingNode, is_bytes, settler
from recurra.graph.settling.windows import images_of, positions_of, window_of, window_spec
from recurra.graph.table import Array


def _matrix(node: SettlingNode, number: int, zero: int, transposed: bool = False) -> tuple[object, int] | None:
    """A node's matrix, packed, with its columns; None if it may change or its zero points do not fit."""
    b, zeros = node.known(number), node.known(zero)
    if b is None or b.ndim != 2 or not is_bytes(b) or not node.are_known((zero,)):
        return None
    b = b.T if transposed else b
    if zeros is not None and (zeros.dtype != b.dtype or zeros.shape not in ((), (1,), b.shape[1:])):
        return None
    packed = node.step.remembered.get("integers")
    if packed is None:
        packed = node.step.remembered["integers"] = node.maker.integer_matrix(b, zeros)
    return packed, b.shape[1]


def _fits(node: SettlingNode, a: Array | None, number: int, zero: Array | None, axis: int = 0) -> bool:
    """Tell whether a is an array of rows as long as the columns of the matrix, with one zero point for all."""
    b = node.known(number)
    return (
        a is not None and b is not None and a.ndim > 1 and a.shape[-1] == b.shape[axis]
        and is_bytes(a) and (zero is None or (zero.size == 1 and zero.dtype == a.dtype))
    )  # fmt: skip


def _product(node: SettlingNode, matrix: tuple[object, int], a: Array, dtype: Any, arrays: IntegerProduct) -> Array:
    """The result of a product, whose step is added to those of the node."""
    packed, columns = matrix
    y = node.array((*a.shape[:-1], columns), dtype)
    rows = math.prod(a.shape[:-1])
    flat = node.contiguous(a).reshape(rows, a.shape[-1])
    node.runs.append(node.maker.integer_product(packed, replace(arrays, a=flat, y=y.reshape(rows, columns))))
    return y


def _columns(*arrays: Array | None, columns: int) -> bool:
    """Tell whether arrays are left out, or float32 with one number or one for each column."""
    return all(
        each is None or (each.dtype == np.float32 and (each.size == 1 or each.shape == (columns,))) for each in arrays
    )


def _quantization(node: SettlingNode, x: Array) -> tuple[Array, Array, Array]:
    """x by its own range: whole numbers, scale and zero point."""
    y = node.array(x.shape, np.uint8)
    scale, zero = node.array((), np.float32), node.array((), np.uint8)
    node.runs.append(node.maker.dynamic_quantization(node.contiguous(x), y, scale, zero))
    return y, scale, zero


@settler("DynamicQuantizeLinear")
def dynamic_quantize_linear(node: SettlingNode) -> Sequence[Array] | None:
    """Whole numbers for x by its own range."""
    x = node.input(0)
    return None if x is None or x.dtype != np.float32 or x.size == 0 else _quantization(node, x)


@settler("MatMulInteger")
def matmul_integer(node: SettlingNode) -> Sequence[Array] | None:
    """A product of 8-bit numbers; a conversion to float32 that follows joins it."""
    a, zero, matrix = node.input(0), node.input(2), _matrix(node, 1, 3)
    if matrix is None or a is None or not _fits(node, a, 1, zero):
        return None
    if not _becomes_float(node):
        return [_product(node, matrix, a, np.int32, IntegerProduct(a, zero, a))]
    columns = (matrix[1],)
    scales, bias, is_rectified = _what_follows(node, columns, (*a.shape[:-1], *columns))
    arrays = IntegerProduct(a, zero, a, b_scale=scales, bias=bias, is_rectified=is_rectified)
    return [_product(node, matrix, a, np.float32, arrays)]


def _becomes_float(node: SettlingNode) -> bool:
    """Take a conversion of the sums to float32 that follows, and tell whether one does."""
    found = node.next()
    if found is None or found[0].operator != "Cast" or found[0].attributes.get("to") != np.float32:
        return False
    node.take(found[0])
    return True


def _what_follows(
    node: SettlingNode, columns: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[Array | None, Array | None, bool]:
    """Take what follows the sums as floats: scales, a bias, and whether a ReLU comes then.

    Args:
        node: the node.
        columns: the last dimensions of an array that has a number for each column (or filter).
        shape: the shape of the result.
    """

    def of_columns(operator: str) -> Array | None:
        found = node.other_operand(operator)
        if found is None or found[1].dtype != np.float32 or found[1].ndim > len(shape):
            return None
        step, array = found
        is_one = array.size == 1
        if not is_one and (array.size != max(columns) or array.shape[-len(columns) :] != columns):
            return None
        node.take(step)
        return array.reshape(() if is_one else -1)

    scales = of_columns("Mul")
    bias = of_columns("Add")
    found = node.next()
    is_rectified = found is not None and found[0].operator == "Relu"
    if found is not None and is_rectified:
        node.take(found[0])
    return scales, bias, is_rectified


@settler("MatMulIntegerToFloat")
def matmul_integer_to_float(node: SettlingNode) -> Sequence[Array] | None:
    """A product of 8-bit numbers, scaled, plus a bias."""
    a, a_scale, b_scale, zero, bias = (node.input(number) for number in (0, 2, 3, 4, 6))
    matrix = _matrix(node, 1, 5)
    if matrix is None or a is None or a_scale is None or not _fits(node, a, 1, zero):
        return None
    if a_scale.size != 1 or b_scale is None or not _columns(a_scale, b_scale, bias, columns=matrix[1]):
        return None
    arrays = IntegerProduct(a, zero, a, a_scale=a_scale, b_scale=b_scale, bias=bias)
    return [_product(node, matrix, a, np.float32, arrays)]


@settler("DynamicQuantizeMatMul")
def dynamic_quantize_matmul(node: SettlingNode) -> Sequence[Array] | None:
    """The product of a, quantized by its own range, and a quantized matrix, plus a bias."""
    a, b_scale, bias, matrix = node.input(0), node.input(2), node.input(4), _matrix(node, 1, 3)
    if matrix is None or a is None or a.dtype != np.float32 or a.ndim < 2 or a.size == 0 or b_scale is None:
        return None
    known = node.known(1)
    if known is None or a.shape[-1] != known.shape[0] or not _columns(b_scale, bias, columns=matrix[1]):
        return None
    whole, scale, zero = _quantization(node, a)
    arrays = IntegerProduct(whole, zero, whole, a_scale=scale, b_scale=b_scale, bias=bias)
    return [_product(node, matrix, whole, np.float32, arrays)]


@settler("QLinearMatMul")
def qlinear_matmul(node: SettlingNode) -> Sequence[Array] | None:
    """The product of two quantized matrices, quantized."""
    a, a_scale, zero, b_scale, y_scale, y_zero = (node.input(number) for number in (0, 1, 2, 4, 6, 7))
    matrix = _matrix(node, 3, 5)
    if matrix is None or a is None or not _fits(node, a, 3, zero):
        return None
    if a_scale is None or b_scale is None or y_scale is None or y_zero is None or not is_bytes(y_zero):
        return None
    if {a_scale.size, y_zero.size} != {1} or not _columns(a_scale, b_scale, y_scale, columns=matrix[1]):
        return None
    arrays = IntegerProduct(a, zero, a, a_scale, b_scale, None, y_scale, y_zero)
    return [_product(node, matrix, a, y_zero.dtype, arrays)]


@settler("QGemm")
def qgemm(node: SettlingNode) -> Sequence[Array] | None:
    """The product of two quantized matrices plus a bias of int32, quantized, or as floats."""
    a, a_scale, zero, b_scale, added, y_scale, y_zero = (node.input(number) for number in (0, 1, 2, 4, 6, 7, 8))
    axis = 1 if node.attribute("transB", 0) else 0
    matrix = _matrix(node, 3, 5, bool(axis))
    if matrix is None or a is None or a.ndim != 2 or not _fits(node, a, 3, zero, axis) or a_scale is None:
        return None
    if node.attribute("transA", 0) or node.attribute("alpha", 1.0) != 1 or b_scale is None:
        return None
    if added is not None and (added.dtype != np.int32 or added.shape not in ((), (1,), (matrix[1],), (1, matrix[1]))):
        return None
    if a_scale.size != 1 or not _columns(a_scale, b_scale, y_scale, columns=matrix[1]):
        return None
    if added is not None:
        added = node.contiguous(added).reshape(-1)
    arrays = IntegerProduct(a, zero, a, a_scale, b_scale, added=added)
    if y_scale is None:
        return [_product(node, matrix, a, np.float32, arrays)]
    if y_zero is None:
        y_zero = np.zeros((), a.dtype)
    if y_zero.size != 1 or not is_bytes(y_zero):
        return None
    return [_product(node, matrix, a, y_zero.dtype, replace(arrays, y_scale=y_scale, y_zero=y_zero))]


# ---- convolutions ----


def _convolution(node: SettlingNode, weights: int, zeros: int, dtype: Any, arrays: IntegerProduct) -> Array | None:
    """The result of a convolution, whose step is added to those of the node; None if its arrays do not fit.

    Args:
        node: the node.
        weights: the number of the input that has the weights, which never change.
        zeros: that of their zero points.
        dtype: the result's.
        arrays: what becomes of the sums; of ``a``, dtype and shape count.
    """
    x, y_shape = arrays.a, _shape_of(node, arrays.a, weights)
    filters, offsets = node.known(weights), node.known(zeros)
    if y_shape is None or filters is None:
        return None
    if offsets is not None and (offsets.dtype != filters.dtype or offsets.shape not in ((), (1,), filters.shape[:1])):
        return None
    windows = window_spec(window_of(node, filters.shape[2:]), x.shape[2:], node.attribute("group", 1))
    if windows is None:
        return None
    y = node.array(y_shape, dtype)
    packed = np.ascontiguousarray(images_of(filters))
    placed = replace(arrays, a=images_of(node.contiguous(x)), y=images_of(y))
    node.runs.append(node.maker.integer_convolution(packed, offsets, windows, placed))
    return y


def _shape_of(node: SettlingNode, x: Array | None, number: int) -> tuple[int, ...] | None:
    """The shape of a convolution's result; None if x, the weights or their zero points do not fit."""
    weights = node.known(number)
    if x is None or weights is None or not is_bytes(x, weights) or x.ndim not in (3, 4) or weights.ndim != x.ndim:
        return None
    groups, kernel = node.attribute("group", 1), weights.shape[2:]
    if not node.are_known((number, number + 2)) or tuple(node.attribute("kernel_shape") or kernel) != kernel:
        return None
    if x.shape[1] != groups * weights.shape[1] or weights.shape[0] % groups:
        return None
    windows = window_spec(window_of(node, kernel), x.shape[2:], groups)
    if windows is None:
        return None
    return (x.shape[0], weights.shape[0], *positions_of(windows, images_of(x).shape[2:])[4 - x.ndim :])


@settler("ConvInteger")
def conv_integer(node: SettlingNode) -> Sequence[Array] | None:
    """A convolution of 8-bit numbers; a conversion to float32, scales, a bias and a ReLU that follow join it."""
    x, zero, weights = node.input(0), node.input(2), node.known(1)
    shape = _shape_of(node, x, 1)
    if x is None or weights is None or shape is None or (zero is not None and zero.size != 1):
        return None
    if zero is not None and zero.dtype != x.dtype:
        return None
    dtype: Any = np.int32
    arrays = IntegerProduct(x, zero, x)
    if _becomes_float(node):
        columns = (shape[1], *(1,) * (len(shape) - 2))
        scales, bias, is_rectified = _what_follows(node, columns, shape)
        arrays, dtype = replace(arrays, b_scale=scales, bias=bias, is_rectified=is_rectified), np.float32
    y = _convolution(node, 1, 3, dtype, arrays)
    return None if y is None else [y]


@settler("QLinearConv")
def qlinear_conv(node: SettlingNode) -> Sequence[Array] | None:
    """The convolution of quantized numbers, quantized."""
    x, x_scale, zero, w_scale, y_scale, y_zero, bias = (node.input(number) for number in (0, 1, 2, 4, 6, 7, 8))
    shape = _shape_of(node, x, 3)
    if x is None or shape is None or x_scale is None or w_scale is None or y_scale is None or y_zero is None:
        return None
    if zero is None or zero.size != 1 or zero.dtype != x.dtype or y_zero.size != 1 or not is_bytes(y_zero):
        return None
    if x_scale.size != 1 or y_scale.size != 1 or not _columns(x_scale, w_scale, y_scale, columns=shape[1]):
        return None
    if bias is not None and (bias.dtype != np.int32 or bias.shape != shape[1:2]):
        return None
    arrays = IntegerProduct(x, zero, x, x_scale, w_scale, None, y_scale, y_zero, bias)
    y = _convolution(node, 3, 5, y_zero.dtype, arrays)
    return None if y is None else [y]
