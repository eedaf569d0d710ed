"""Convolution and pooling as native steps; a batch normalization and an activation join the convolution before them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.engines.steps import Operations, Quanta, WindowSpec
from recurra.graph.operators.windows import Window
from recurra.graph.settling.converting import floats_of, quantize
from recurra.graph.settling.elementwise import unary
from recurra.graph.settling.node import SettlingNode, is_bytes, is_float, settler
from recurra.graph.table import Array

_ONE = np.ones((), np.float32)


def window_of(node: SettlingNode, kernel: Sequence[int]) -> Window:
    """A node's window, by its attributes."""
    read = node.attribute
    auto_pad, ceil_mode = read("auto_pad", "NOTSET"), read("ceil_mode", 0)
    return Window(tuple(kernel), auto_pad, read("dilations"), read("pads"), read("strides"), ceil_mode)


def window_spec(window: Window, sizes: Sequence[int], groups: int = 1) -> WindowSpec | None:
    """A window over one or two dimensions as two; None if it does not fit into x."""
    borders = window.borders(sizes)
    before, after = ([each[0] for each in borders], [each[1] + each[2] for each in borders])
    steps, dilations = (window.each(values) for values in (window.strides, window.dilations))
    reach = [(k - 1) * d + 1 for k, d in zip(window.kernel, dilations, strict=True)]
    if any(sum(parts) < need for *parts, need in zip(sizes, before, after, reach, strict=True)):
        return None

    def two(values: Sequence[int], other: int) -> tuple[int, int]:
        first, last = (other, *values)[-2:]
        return int(first), int(last)

    return WindowSpec(two(window.kernel, 1), two(steps, 1), two(dilations, 1), two(before, 0), two(after, 0), groups)


def positions_of(windows: WindowSpec, sizes: Sequence[int]) -> tuple[int, ...]:
    """The number of windows along each of the two dimensions."""
    return tuple(
        (size + before + after - (kernel - 1) * dilation - 1) // step + 1
        for size, kernel, step, dilation, before, after in zip(
            sizes, windows.kernel, windows.strides, windows.dilations, windows.before, windows.after, strict=True
        )
    )


def images_of(x: Array) -> Array:
    """(images, channels, height, width), of an x of one or two dimensions."""
    return x.reshape(*x.shape[:2], *(1, *x.shape[2:])[-2:])


@settler("Conv")
def convolution(node: SettlingNode) -> Sequence[Array] | None:
    """A convolution over one or two dimensions whose weights never change."""
    x, weights, bias = node.input(0), node.known(1), node.known(2)
    if x is None or weights is None or not node.are_known((1, 2)) or not is_float(x, weights) or x.ndim not in (3, 4):
        return None
    kernel, groups = weights.shape[2:], node.attribute("group", 1)
    is_odd = weights.ndim != x.ndim or tuple(node.attribute("kernel_shape") or kernel) != kernel
    if is_odd or x.shape[1] != groups * weights.shape[1] or weights.shape[0] % groups:
        return None
    if bias is not None and (bias.shape != weights.shape[:1] or bias.dtype != x.dtype):
        return None
    windows = window_spec(window_of(node, kernel), x.shape[2:], groups)
    if windows is None:
        return None
    weights, bias = _with_batch_norm(node, weights, bias)
    then = _with_activation(node)
    image = images_of(x)
    y = node.array((x.shape[0], weights.shape[0], *positions_of(windows, image.shape[2:])), x.dtype)
    packed = np.ascontiguousarray(images_of(weights))
    node.runs.append(node.maker.convolution(images_of(node.contiguous(x)), packed, bias, y, windows, then))
    return [y.reshape(*y.shape[:2], *y.shape[6 - x.ndim :])]


def _with_batch_norm(node: SettlingNode, weights: Array, bias: Array | None) -> tuple[Array, Array | None]:
    """Weights and bias that do the work of a batch normalization too, if one follows."""
    found = node.next()
    if found is None or found[0].operator != "BatchNormalization" or any(each is None for each in found[1][1:]):
        return weights, bias
    step, (_, *around) = found
    scale, shift, mean, variance = (np.asarray(each, np.float64) for each in around)
    if any(each.shape != weights.shape[:1] for each in (scale, shift, mean, variance)):
        return weights, bias
    factor = scale / np.sqrt(variance + step.attributes.get("epsilon", 1e-5))
    node.take(step)
    scaled = weights * factor.reshape(-1, *(1,) * (weights.ndim - 1))
    moved = ((0 if bias is None else bias) - mean) * factor + shift
    return scaled.astype(weights.dtype), moved.astype(weights.dtype)


def _with_activation(node: SettlingNode) -> Operations | None:
    """The operations of an elementwise function of one array, if one follows."""
    found = node.next()
    operations = None if found is None else unary(*found)
    if found is not None and operations is not None:
        node.take(found[0])
    return operations


@settler("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
def pooling(node: SettlingNode) -> Sequence[Array] | None:
    """The largest or mean element of each window; the largest of 8-bit numbers by way of floats, which hold them."""
    x = node.input(0)
    is_of_bytes = is_bytes(x) and node.operator.endswith("MaxPool")
    if x is None or not (is_of_bytes or is_float(x)) or len([name for name in node.step.outputs if name]) != 1:
        return None
    windows = pooling_windows(node, x, node.operator)
    if windows is None:
        return None
    y = node.array(pooled_shape(x, windows), x.dtype)
    if not is_of_bytes:
        pool(node, node.contiguous(x), y, windows, node.operator)
        return [y]
    largest = node.passing(y.shape, np.float32)
    pool(node, floats_of(node, Quanta(x, _ONE, None)), largest, windows, node.operator)
    quantize(node, largest, Quanta(y, _ONE, None))
    return [y]


def pooling_windows(node: SettlingNode, x: Array, operator: str) -> WindowSpec | None:
    """The windows of a pooling of x; None if they are not of one or two dimensions, or do not fit."""
    if x.ndim not in (3, 4):
        return None
    window = _pooling_window(node, x, operator)
    return window_spec(window, x.shape[2:]) if len(window.kernel) == x.ndim - 2 else None


def _pooling_window(node: SettlingNode, x: Array, operator: str) -> Window:
    if operator.startswith("Global"):
        return Window(x.shape[2:], "VALID", None, None, None)
    return window_of(node, node.attribute("kernel_shape"))


def pooled_shape(x: Array, windows: WindowSpec) -> tuple[int, ...]:
    """The shape of a pooling's result."""
    return (*x.shape[:2], *positions_of(windows, images_of(x).shape[2:])[4 - x.ndim :])


def pool(node: SettlingNode, x: Array, y: Array, windows: WindowSpec, operator: str) -> None:
    """Add the step that writes the largest or mean elements of x, contiguous floats, to y."""
    image, result = images_of(x), images_of(y)
    if operator.endswith("MaxPool"):
        node.runs.append(node.maker.largest(image, result, windows))
        return
    window = _pooling_window(node, x, operator)
    counts = window.counts(x.shape[2:], node.attribute("count_include_pad", 0), x.dtype)
    shaped = np.ascontiguousarray(counts.reshape(result.shape[2:]))
    node.runs.append(node.maker.mean(image, shaped, result, windows))
