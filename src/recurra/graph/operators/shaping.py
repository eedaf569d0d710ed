"""Operators that read shapes, and that reshape, join, cut, repeat or pad arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.graph.operators.limits import check_dtypes, checked_shape
from recurra.graph.table import Array, NodeInfo, building_operator, one_of, operator


def axis_of(axis: Any, dimensions: int) -> int:
    """An axis counted from the front.

    Raises:
        ValueError: there is no such axis.
    """
    number = int(axis)
    if not -dimensions <= number < dimensions:
        raise ValueError(f"axis {number} is out of range for {dimensions} dimensions")
    return number % dimensions


def axes_of(axes: Any, dimensions: int) -> tuple[int, ...]:
    """Axes counted from the front.

    Raises:
        ValueError: one is out of range, or is named twice.
    """
    numbers = tuple(axis_of(axis, dimensions) for axis in np.asarray(axes).ravel())
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"axes {numbers} name a dimension twice")
    return numbers


@operator("Shape")
def shape(x: Array, *, start: int = 0, end: int | None = None) -> Array:
    """The sizes of x, from dimension ``start`` to before ``end``."""
    return np.array(x.shape[start:end], np.int64)


@operator("Size")
def size(x: Array) -> Array:
    """The number of elements."""
    return np.array(x.size, np.int64)


@operator("Reshape")
def reshape(x: Array, shape: Array, *, allowzero: int = 0) -> Array:
    """x in another shape: −1 stands for the remaining size, 0 for x's own size (with ``allowzero`` for 0)."""
    wanted = [int(size) for size in shape]
    if any(size < -1 for size in wanted):
        raise ValueError(f"shape {tuple(wanted)} has a negative size")
    if not allowzero:
        if any(size == 0 and number >= x.ndim for number, size in enumerate(wanted)):
            raise ValueError(f"shape {tuple(wanted)} copies a size that {x.ndim} dimensions do not have")
        wanted = [size or x.shape[number] for number, size in enumerate(wanted)]
    return x.reshape(wanted)


@operator("Flatten")
def flatten(x: Array, *, axis: int = 1) -> Array:
    """x as a matrix, whose rows are the dimensions before the axis."""
    if not -x.ndim <= axis <= x.ndim:
        raise ValueError(f"axis {axis} is out of range for {x.ndim} dimensions")
    before = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:before]), math.prod(x.shape[before:]))


@operator("Squeeze", until=12)
def squeeze_attribute(x: Array, *, axes: Sequence[int] | None = None) -> Array:
    """x without these dimensions of size 1; by default without any of size 1."""
    return squeeze(x, axes)


@operator("Squeeze", since=13)
def squeeze(x: Array, axes: Any = None) -> Array:
    """x without these dimensions of size 1; by default without any of size 1."""
    return x.squeeze() if axes is None else x.squeeze(axes_of(axes, x.ndim))


@operator("Unsqueeze", until=12)
def unsqueeze_attribute(x: Array, *, axes: Sequence[int]) -> Array:
    """x with further dimensions of size 1, at these axes of the result."""
    return unsqueeze(x, axes)


@operator("Unsqueeze", since=13)
def unsqueeze(x: Array, axes: Any) -> Array:
    """x with further dimensions of size 1, at these axes of the result."""
    return np.expand_dims(x, axes_of(axes, x.ndim + np.size(axes)))


@operator("Transpose")
def transpose(x: Array, *, perm: Sequence[int] | None = None) -> Array:
    """x with its dimensions in another order; by default reversed."""
    return x.transpose(perm)


@operator("Concat")
def concat(*arrays: Array, axis: int) -> Array:
    """Arrays joined along an axis."""
    check_dtypes(*arrays)
    checked_shape((sum(array.size for array in arrays),), arrays[0].dtype)
    return np.concatenate(arrays, axis)


@building_operator("Split", until=12, outputs=None)
def split_attribute(node: NodeInfo, *, axis: int = 0, split: Sequence[int] | None = None) -> Any:
    """x cut into pieces of these sizes; by default into equal ones."""
    return lambda x: cut(x, axis, len(node.outputs), split, is_even=True)


@building_operator("Split", since=13, until=17, outputs=None)
def split_evenly(node: NodeInfo, *, axis: int = 0) -> Any:
    """x cut into pieces whose sizes are an input; by default into equal ones."""
    return lambda x, split=None: cut(x, axis, len(node.outputs), split, is_even=True)


@building_operator("Split", since=18, outputs=None)
def split(node: NodeInfo, *, axis: int = 0, num_outputs: int | None = None) -> Any:
    """x cut into pieces whose sizes are an input; by default into equal ones, the last perhaps smaller."""
    if num_outputs not in (None, len(node.outputs)):
        raise ValueError(f"num_outputs={num_outputs} for {len(node.outputs)} outputs")
    return lambda x, split=None: cut(x, axis, len(node.outputs), split, is_even=False)


def cut(x: Array, axis: int, count: int, sizes: Any, *, is_even: bool) -> tuple[Array, ...]:
    """x cut into ``count`` pieces along an axis."""
    whole = x.shape[axis_of(axis, x.ndim)]
    if sizes is None:
        if is_even and whole % count:
            raise ValueError(f"size {whole} cannot be split in {count} equal parts")
        part = -(-whole // count)
        sizes = [max(0, min(part, whole - part * number)) for number in range(count)]
    sizes = [int(size) for size in sizes]
    if len(sizes) != count or sum(sizes) != whole or min(sizes) < 0:
        raise ValueError(f"size {whole} cannot be split in {count} parts of sizes {sizes}")
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


@operator("Slice", until=9)
def slice_attributes(
    x: Array, *, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int] | None = None
) -> Array:
    """A part of x: along each axis from a start to before an end."""
    return cut_out(x, starts, ends, axes)


@operator("Slice", since=10)
def cut_out(x: Array, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Array:
    """A part of x: along each axis from a start to before an end, in steps."""
    chosen = axes_of(range(len(starts)) if axes is None else axes, x.ndim)
    pieces = [slice(None)] * x.ndim
    steps = [1] * len(chosen) if steps is None else steps
    for axis, start, end, step in zip(chosen, starts, ends, steps, strict=True):
        first = max(int(start), -x.shape[axis]) if step < 0 else int(start)  # from before the beginning: from there
        pieces[axis] = slice(first, int(end), int(step))
    return x[tuple(pieces)]


@operator("Expand")
def expand(x: Array, shape: Array) -> Array:
    """x with its dimensions of size 1 repeated to fill a shape."""
    wanted = np.broadcast_shapes(x.shape, checked_shape(shape, x.dtype))
    return np.broadcast_to(x, checked_shape(wanted, x.dtype))


@operator("Tile")
def tile(x: Array, repeats: Array) -> Array:
    """x repeated along each dimension."""
    if len(repeats) != x.ndim:
        raise ValueError(f"{len(repeats)} numbers of repeats for {x.ndim} dimensions")
    times = [int(times) for times in repeats]
    checked_shape((size * times for size, times in zip(x.shape, times, strict=True)), x.dtype)
    return np.tile(x, times)


_MODE = one_of("constant", "reflect", "edge", "wrap")


@operator("Pad", until=10, mode=_MODE)
def pad_attributes(x: Array, *, pads: Sequence[int], mode: str = "constant", value: float = 0.0) -> Array:
    """x with a border."""
    return pad(x, pads, value, mode=mode)


@operator("Pad", since=11, mode=_MODE)
def pad(x: Array, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant") -> Array:
    """x with a border; a negative width cuts off."""
    chosen = tuple(range(x.ndim)) if axes is None else axes_of(axes, x.ndim)
    if len(pads) != 2 * len(chosen):
        raise ValueError(f"{len(pads)} widths for both ends of {len(chosen)} axes")
    widths = [(0, 0)] * x.ndim
    for axis, before, after in zip(chosen, pads[: len(chosen)], pads[len(chosen) :], strict=True):
        widths[axis] = (int(before), int(after))
    sizes = zip(x.shape, widths, strict=True)
    x = x[tuple(slice(max(0, -before), size - max(0, -after)) for size, (before, after) in sizes)]
    widths = [(max(0, before), max(0, after)) for before, after in widths]
    checked_shape((size + sum(width) for size, width in zip(x.shape, widths, strict=True)), x.dtype)
    if mode == "constant":
        return np.pad(x, widths, constant_values=np.asarray(0 if value is None else value, x.dtype))
    return np.pad(x, widths, mode)  # type: ignore[call-overload]  # the table has checked the mode
