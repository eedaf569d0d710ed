"""Operators that move elements, as copies into arrays that stay; those that only view an array need no step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.graph.operators.shaping import axes_of, axis_of
from recurra.graph.settling.node import SettlingNode, scalar_of, settler
from recurra.graph.table import Array


@settler("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshaping(node: SettlingNode) -> Sequence[Array] | None:
    """A view of a contiguous copy, where x itself cannot be viewed in the new shape."""
    x = node.input(0)
    if x is None or not node.are_known(range(1, len(node.inputs))) or x.flags.c_contiguous:
        return None
    result = np.asarray(node.step.function(*node.inputs))
    if np.shares_memory(result, x):
        return [result]
    y = node.array(x.shape, x.dtype)
    node.runs.append(node.maker.copy(x, y))
    return [y.reshape(result.shape)]


@settler("Concat")
def concatenation(node: SettlingNode) -> Sequence[Array] | None:
    """A copy of each array into its part of the result."""
    arrays = [each for each in node.inputs if each is not None]
    first = arrays[0]
    if any(each.dtype != first.dtype or each.ndim != first.ndim for each in arrays) or not first.ndim:
        return None
    axis = axis_of(node.attribute("axis"), first.ndim)
    others = {(*each.shape[:axis], *each.shape[axis + 1 :]) for each in arrays}
    if len(others) > 1:
        return None
    size = sum(each.shape[axis] for each in arrays)
    y = node.array((*first.shape[:axis], size, *first.shape[axis + 1 :]), first.dtype)
    begin = 0
    for each in arrays:
        part = y[(slice(None),) * axis + (slice(begin, begin + each.shape[axis]),)]
        begin += each.shape[axis]
        if each.size:
            node.runs.append(node.maker.copy(each, part))
    return [y]


@settler("Pad")
def padding(node: SettlingNode) -> Sequence[Array] | None:
    """A copy of x into the middle of the result, and of its border, or of one number."""
    x, mode = node.input(0), node.attribute("mode", "constant")
    if x is None or not x.size or not node.are_known((1, 2, 3)) or mode not in ("constant", "reflect", "edge"):
        return None
    pads = node.known(1) if "pads" not in node.step.attributes else np.asarray(node.attribute("pads"))
    axes = range(x.ndim) if node.known(3) is None else axes_of(node.known(3), x.ndim)
    if pads is None or len(pads) != 2 * len(axes) or min(pads, default=0) < 0:
        return None
    widths = [(0, 0)] * x.ndim
    for number, axis in enumerate(axes):
        widths[axis] = (int(pads[number]), int(pads[number + len(axes)]))
    if mode == "reflect" and any(max(pair) >= size for pair, size in zip(widths, x.shape, strict=True)):
        return None
    y = node.array(tuple(size + sum(pair) for size, pair in zip(x.shape, widths, strict=True)), x.dtype)
    inside = tuple(slice(before, before + size) for (before, _), size in zip(widths, x.shape, strict=True))
    if mode == "constant":
        value = node.attribute("value", 0.0) if node.known(2) is None else scalar_of(node.known(2))
        filler = np.full((1,) * x.ndim, value, x.dtype)
        node.runs.append(node.maker.copy(np.broadcast_to(filler, y.shape), y))
    node.runs.append(node.maker.copy(x, y[inside]))
    if mode != "constant":
        _add_borders(node, y, widths, x.shape, mode)
    return [y]


def _add_borders(
    node: SettlingNode, y: Array, widths: Sequence[tuple[int, int]], sizes: Sequence[int], mode: str
) -> None:
    """Copy the borders of each axis, over the whole length of the axes before it."""
    for axis, ((before, after), size) in enumerate(zip(widths, sizes, strict=True)):
        end = before + size
        lines: list[slice] = [slice(None)] * axis
        others = [slice(pair[0], pair[0] + length) for pair, length in zip(widths, sizes, strict=True)][axis + 1 :]

        def part(begin: int, end: int) -> Array:
            chosen = (*lines, slice(begin, end), *others)  # noqa: B023
            return y[chosen]

        for begin, count, first, last in ((0, before, before, before + 1), (end, after, end - 1, end)):
            if not count:
                continue
            target = part(begin, begin + count)
            if mode == "edge":
                source = np.broadcast_to(part(first, last), target.shape)
            elif begin == 0:
                source = np.flip(part(before + 1, before + 1 + count), axis)
            else:
                source = np.flip(part(end - 1 - count, end - 1), axis)
            node.runs.append(node.maker.copy(source, target))
