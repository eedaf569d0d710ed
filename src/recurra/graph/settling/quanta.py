"""QuantizeLinear, DequantizeLinear and onnxruntime's operators on 8-bit numbers as native steps.

They give the bits of operators/quantized.py and operators/quantized_functions.py, except for means and softmax, whose
sums have another order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from recurra.engines.steps import Operations, Quanta
from recurra.graph.dtypes import read_dtype
from recurra.graph.operators.quantized_functions import requantized
from recurra.graph.operators.shaping import axis_of
from recurra.graph.settling.converting import dequantize, floats_of, is_single, quantize
from recurra.graph.settling.elementwise import matrices_of
from recurra.graph.settling.node import BYTES, SettlingNode, is_bytes, settler
from recurra.graph.settling.reducing import softmax_step
from recurra.graph.settling.windows import pool, pooled_shape, pooling_windows
from recurra.graph.table import Array

_BYTE_VALUES = np.arange(256, dtype=np.uint8)


def _sizes(x: Array, parameters: Sequence[Array | None], axis: int) -> tuple[int, int, int] | None:
    """x as (outer, channels, inner) for scale and zero point; None if these are not one number or one a channel."""
    given = [each for each in parameters if each is not None]
    if all(each.size == 1 for each in given):
        return 1, 1, x.size
    place = axis_of(axis, x.ndim)
    if any(each.shape != (x.shape[place],) for each in given):
        return None
    return math.prod(x.shape[:place]), x.shape[place], math.prod(x.shape[place + 1 :])


@settler("QuantizeLinear")
def quantize_linear(node: SettlingNode) -> Sequence[Array] | None:
    """Whole numbers of 8 bits for float32."""
    x, scale, zero = (node.input(number) for number in range(3))
    if x is None or scale is None or x.dtype != np.float32 or scale.dtype != np.float32 or not x.size:
        return None
    given = node.attribute("output_dtype", 0)
    dtype = zero.dtype if zero is not None else read_dtype(given) if given else np.dtype(np.uint8)
    if dtype.name not in BYTES or node.attribute("block_size", 0):
        return None
    sizes = _sizes(x, (scale, zero), node.attribute("axis", 1))
    if sizes is None:
        return None
    y = node.array(x.shape, dtype)
    quantize(node, node.contiguous(x), Quanta(y, scale, zero), sizes)
    return [y]


@settler("DequantizeLinear")
def dequantize_linear(node: SettlingNode) -> Sequence[Array] | None:
    """The float32 that whole numbers of 8 bits stand for."""
    x, scale, zero = (node.input(number) for number in range(3))
    if x is None or scale is None or not is_bytes(x) or scale.dtype != np.float32:
        return None
    if (
        (zero is not None and zero.dtype != x.dtype)
        or node.attribute("block_size", 0)
        or node.attribute("output_dtype")
    ):
        return None
    sizes = _sizes(x, (scale, zero), node.attribute("axis", 1))
    if sizes is None:
        return None
    y = node.array(x.shape, np.float32)
    dequantize(node, Quanta(x, scale, zero), y, sizes)
    return [y]


# ---- functions of one number: tables ----


def _look_up(node: SettlingNode, x: Array, y: Array, table: Array) -> None:
    """Add the step that writes a table's entry for each element of x to y, whose last dimensions are contiguous."""
    if table.dtype == x.dtype and np.array_equal(table.view(np.uint8), _BYTE_VALUES):
        node.runs.append(node.maker.copy(x, y))
        return
    rows = _rows_of(y)
    columns = x.size // rows
    target = np.lib.stride_tricks.as_strided(y, (rows, columns), (y.strides[0] if rows > 1 else 0, 1))
    node.runs.append(node.maker.lookup(node.contiguous(x).reshape(rows, columns), target, table))


def _rows_of(y: Array) -> int:
    """The rows of y as a matrix: 1, or those of its first dimensions, behind which all is contiguous."""
    return 1 if y.flags.c_contiguous else y.shape[0]


@settler("QLinearSigmoid", "QLinearLeakyRelu")
def function_of_bytes(node: SettlingNode) -> Sequence[Array] | None:
    """A function of each number with constant scales, by a table that the operator's own function fills."""
    x = node.input(0)
    if x is None or not is_bytes(x) or not node.are_known(range(1, len(node.inputs))):
        return None
    table = np.ascontiguousarray(node.step.function(_BYTE_VALUES.view(x.dtype), *node.inputs[1:]))
    if table.shape != (256,) or not is_bytes(table):
        return None
    y = node.array(x.shape, table.dtype)
    _look_up(node, x, y, table)
    return [y]


@settler("QLinearConcat")
def concatenate(node: SettlingNode) -> Sequence[Array] | None:
    """Arrays one after the other, each by a table of its own from its scale to that of the result."""
    y_scale, y_zero, *parts = node.inputs
    arrays, others = parts[::3], [number for number in range(len(node.inputs)) if number < 2 or number % 3 != 2]
    if not arrays or not is_bytes(y_zero, *arrays) or not node.are_known(others) or y_scale is None or y_zero is None:
        return None
    given = [each for each in arrays if each is not None]
    first, axis = given[0], axis_of(node.attribute("axis"), given[0].ndim)
    if any(each.ndim != first.ndim for each in given):
        return None
    if len({(*each.shape[:axis], *each.shape[axis + 1 :]) for each in given}) > 1:
        return None
    leading = math.prod(first.shape[:axis])
    size = sum(each.shape[axis] for each in given)
    y = node.array((*first.shape[:axis], size, *first.shape[axis + 1 :]), y_zero.dtype)
    rows, begin = y.reshape(leading, y.size // leading), 0
    for x, scale, zero in zip(given, parts[1::3], parts[2::3], strict=True):
        if scale is None:
            raise ValueError("every array needs its scale")
        width = x.size // leading
        table = requantized(_BYTE_VALUES.view(x.dtype), scale, zero, y_scale, y_zero)
        part = node.contiguous(x).reshape(leading, width)
        _look_up(node, part, rows[:, begin : begin + width], np.ascontiguousarray(table))
        begin += width
    return [y]


# ---- functions of floats ----


@settler("QLinearAdd", "QLinearMul")
def two_of_bytes(node: SettlingNode) -> Sequence[Array] | None:
    """A sum or product of two quantized arrays that broadcast, quantized."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = (node.input(number) for number in range(8))
    if a is None or b is None or not is_bytes(a, b) or a_scale is None or b_scale is None or y_scale is None:
        return None
    dtype = a.dtype if y_zero is None else y_zero.dtype
    fits = is_single(a_scale, a_zero, a.dtype) and is_single(b_scale, b_zero, b.dtype)
    if not fits or not is_single(y_scale, y_zero, dtype) or dtype.name not in BYTES:
        return None
    found = matrices_of(node, [a, b])
    if found is None:
        return None
    shape, (left, right) = found
    y = node.array(shape, dtype)
    rows = max(left.shape[0], right.shape[0])
    inputs = [Quanta(left, a_scale, a_zero), Quanta(right, b_scale, b_zero)]
    to = Quanta(y.reshape(rows, y.size // rows), y_scale, y_zero)
    name = "add" if node.operator == "QLinearAdd" else "multiply"
    node.runs.append(node.maker.operations_on_bytes(inputs, to, Operations(((name, 2, (0, 1)),))))
    return [y]


@settler("QLinearGlobalAveragePool", "QLinearAveragePool")
def mean_of_bytes(node: SettlingNode) -> Sequence[Array] | None:
    """The mean of each window of a quantized array, quantized."""
    x, x_scale, x_zero, y_scale, y_zero = (node.input(number) for number in range(5))
    if x is None or not is_bytes(x) or x_scale is None or y_scale is None or node.attribute("channels_last", 0):
        return None
    dtype = x.dtype if y_zero is None else y_zero.dtype
    fits = is_single(x_scale, x_zero, x.dtype) and is_single(y_scale, y_zero, dtype)
    operator = node.operator.removeprefix("QLinear")
    windows = pooling_windows(node, x, operator)
    if not fits or dtype.name not in BYTES or windows is None:
        return None
    means = node.passing(pooled_shape(x, windows), np.float32)
    pool(node, floats_of(node, Quanta(x, x_scale, x_zero)), means, windows, operator)
    y = node.array(means.shape, dtype)
    quantize(node, means, Quanta(y, y_scale, y_zero))
    return [y]


@settler("QLinearSoftmax")
def softmax_of_bytes(node: SettlingNode) -> Sequence[Array] | None:
    """Softmax of a quantized array over its last features, quantized."""
    x, x_scale, x_zero, y_scale, y_zero = (node.input(number) for number in range(5))
    if x is None or not is_bytes(x) or y_zero is None or not is_bytes(y_zero) or x_scale is None or y_scale is None:
        return None
    if not is_single(x_scale, x_zero, x.dtype) or not is_single(y_scale, y_zero, y_zero.dtype):
        return None
    if node.attribute("opset", 13) < 13 or axis_of(node.attribute("axis", -1), x.ndim) != x.ndim - 1:
        return None
    shares = node.passing(x.shape, np.float32)
    softmax_step(node, floats_of(node, Quanta(x, x_scale, x_zero)), shares, x.shape[-1])
    y = node.array(x.shape, y_zero.dtype)
    quantize(node, shares, Quanta(y, y_scale, y_zero))
    return [y]
