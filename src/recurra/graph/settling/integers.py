"""Products of 8-bit numbers as native steps, with weights that never change: to the bit as operators/quantized.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.engines.steps import IntegerProduct
from recurra.graph.settling.node import SettlingNode, settler
from recurra.graph.table import Array

_BYTES = ("uint8", "int8")


def _matrix(node: SettlingNode, number: int, zero: int) -> tuple[object, int] | None:
    """A node's matrix, packed, with its columns; None if it may change or its zero points do not fit."""
    b, zeros = node.known(number), node.known(zero)
    if b is None or b.ndim != 2 or b.dtype.name not in _BYTES or b.size == 0 or not node.are_known((zero,)):
        return None
    if zeros is not None and (zeros.dtype != b.dtype or zeros.shape not in ((), (1,), b.shape[1:])):
        return None
    packed = node.step.remembered.get("integers")
    if packed is None:
        packed = node.step.remembered["integers"] = node.maker.integer_matrix(b, zeros)
    return packed, b.shape[1]


def _fits(node: SettlingNode, a: Array | None, number: int, zero: Array | None) -> bool:
    """Tell whether a is an array of rows as long as the columns of the matrix, with one zero point for all."""
    b = node.known(number)
    return (
        a is not None and b is not None and a.ndim > 1 and a.size > 0 and a.shape[-1] == b.shape[0]
        and a.dtype.name in _BYTES and (zero is None or (zero.size == 1 and zero.dtype == a.dtype))
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
    dtype: Any = np.int32
    found = node.next()
    if found is not None and found[0].operator == "Cast" and found[0].attributes.get("to") == np.float32:
        node.take(found[0])
        dtype = np.float32
    return [_product(node, matrix, a, dtype, IntegerProduct(a, zero, a))]


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
    if a_scale is None or b_scale is None or y_scale is None or y_zero is None or y_zero.dtype.name not in _BYTES:
        return None
    if {a_scale.size, y_scale.size, y_zero.size} != {1} or not _columns(a_scale, b_scale, y_scale, columns=matrix[1]):
        return None
    arrays = IntegerProduct(a, zero, a, a_scale, b_scale, None, y_scale, y_zero)
    return [_product(node, matrix, a, y_zero.dtype, arrays)]
