"""Convolution and pooling, which move a window over any number of dimensions."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from recurra.graph.operators.limits import checked_shape
from recurra.graph.table import Array, functions, one_of, operator

_AT_ONCE = 2**23  # elements of windows that are copied at a time, for one product
PADDING = one_of("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True)
class Window:
    """A window of a node that moves over (batch, channels, …); None stands for ONNX's default."""

    kernel: Sequence[int]
    auto_pad: str
    dilations: Sequence[int] | None
    pads: Sequence[int] | None
    strides: Sequence[int] | None
    ceil_mode: int = 0

    def borders(self, shape: Sequence[int]) -> list[tuple[int, int, int]]:
        """The padding before and after each dimension, and the elements that the last window needs beyond that."""
        count = len(self.kernel)
        if len(shape) != count:
            raise ValueError(f"a kernel of {count} dimensions over {len(shape)}")
        steps = self.each(self.strides)
        reach = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.each(self.dilations), strict=True)]
        pads = [0] * (2 * count) if self.pads is None else list(self.pads)
        if min((*self.kernel, *steps, *reach)) < 1 or len(pads) != 2 * count or min(pads) < 0:
            raise ValueError(f"kernel {self.kernel}, strides {self.strides}, pads {self.pads} make no window")
        borders = []
        for axis, (size, step, need) in enumerate(zip(shape, steps, reach, strict=True)):
            if self.auto_pad.startswith("SAME"):
                total = max(0, (-(-size // step) - 1) * step + need - size)
                smaller, larger = total // 2, total - total // 2
                ends = (smaller, larger) if self.auto_pad == "SAME_UPPER" else (larger, smaller)
                borders.append((*ends, 0))
                continue
            before, after = (0, 0) if self.auto_pad == "VALID" else (pads[axis], pads[axis + count])
            borders.append((before, after, self._beyond(size, before, after, step, need) if self.ceil_mode else 0))
        return borders

    def _beyond(self, size: int, before: int, after: int, step: int, need: int) -> int:
        """The number of elements that the last window reaches beyond the padding, if an incomplete window counts."""
        last = -(-(size + before + after - need) // step)
        if last * step >= size + before:  # it would begin in the padding after x
            last -= 1
        return max(0, last * step + need - size - before - after)

    def each(self, given: Sequence[int] | None) -> Sequence[int]:
        """Strides or dilations, by default 1 for each dimension."""
        values = [1] * len(self.kernel) if given is None else given
        if len(values) != len(self.kernel):
            raise ValueError(f"{len(values)} values for a kernel of {len(self.kernel)} dimensions")
        return values

    def counts(self, shape: Sequence[int], count_include_pad: int, dtype: np.dtype[Any]) -> Array:
        """The number of elements that an average counts in each window, (1, 1, positions…)."""
        window, counted = self, np.ones((1, 1, *shape), dtype)
        if count_include_pad:
            widths = [(before, after) for before, after, _ in self.borders(shape)]
            ones = np.pad(counted, [(0, 0), (0, 0), *widths], constant_values=1)
            beyond = [(0, beyond) for _, _, beyond in self.borders(shape)]
            counted = np.pad(ones, [(0, 0), (0, 0), *beyond])
            window = Window(self.kernel, "VALID", self.dilations, None, self.strides)
        seen = window.over(counted, 0)
        return seen.sum(_inside(seen, len(shape)), dtype)

    def over(self, x: Array, filler: Any) -> Array:
        """The elements of each window, (batch, channels, positions…, kernel…); the filler outside of x."""
        borders = self.borders(x.shape[2:])
        widths = [(0, 0), (0, 0), *((before, after + beyond) for before, after, beyond in borders)]
        checked_shape((size + sum(width) for size, width in zip(x.shape, widths, strict=True)), x.dtype)
        padded = np.pad(x, widths, constant_values=filler)
        dilations = self.each(self.dilations)
        reach = tuple((k - 1) * d + 1 for k, d in zip(self.kernel, dilations, strict=True))
        if any(size < need for size, need in zip(padded.shape[2:], reach, strict=True)):
            raise ValueError(f"the window {reach} is larger than what it moves over, {padded.shape[2:]}")
        seen = sliding_window_view(padded, reach, tuple(range(2, x.ndim)))
        steps = [slice(None, None, step) for step in (*self.each(self.strides), *dilations)]
        chosen = (slice(None), slice(None), *steps)
        return seen[chosen]


@operator("Conv", auto_pad=PADDING)
def convolution(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Array:
    """The cross-correlation of x, (batch, channels, …), with weights, (filters, channels / group, …)."""
    kernel = weight.shape[2:] if kernel_shape is None else tuple(kernel_shape)
    filters = weight.shape[0]
    if kernel != weight.shape[2:] or group < 1 or filters % group or x.shape[1] != group * weight.shape[1]:
        raise ValueError(
            f"x {x.shape} and weights {weight.shape} do not fit kernel {kernel} in {group} groups of channels"
        )
    seen = Window(kernel, auto_pad, dilations, pads, strides).over(x, 0)
    batch, positions = x.shape[0], seen.shape[2 : x.ndim]
    seen = seen.reshape(batch, group, weight.shape[1], *seen.shape[2:])
    matrices = weight.reshape(group, filters // group, -1).swapaxes(1, 2)
    y = np.empty(checked_shape((batch, filters, *positions), x.dtype), x.dtype)
    whole_windows: tuple[Any, ...] = (slice(None),) * len(positions)
    longest = max(range(len(positions)), key=positions.__getitem__)
    step = max(1, _AT_ONCE // max(1, math.prod(seen.shape) // max(1, positions[longest])))
    for begin in range(0, positions[longest], step):
        chosen: list[Any] = [..., *(slice(None),) * len(positions)]
        chosen[1 + longest] = slice(begin, begin + step)
        # one matrix product for each group: (positions, channels · kernel) @ (channels · kernel, filters)
        part = np.moveaxis(seen[tuple(chosen) + whole_windows], 2, x.ndim)
        rows = part.reshape(batch, group, math.prod(part.shape[2 : x.ndim]), math.prod(weight.shape[1:]))
        product = np.matmul(rows, matrices).swapaxes(2, 3)
        y[tuple(chosen)] = product.reshape(batch, filters, *part.shape[2 : x.ndim])
    if bias is not None and bias.shape != (filters,):
        raise ValueError(f"bias must be ({filters},); got {bias.shape}")
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(positions))


def _inside(seen: Array, spatial: int) -> tuple[int, ...]:
    """The axes of the elements of a window."""
    return tuple(range(seen.ndim - spatial, seen.ndim))


@operator("MaxPool", auto_pad=PADDING)
def max_pool(
    x: Array,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    storage_order: int = 0,
    strides: Sequence[int] | None = None,
) -> Array:
    """The largest element of each window; ``storage_order`` is about indices, which are not an output here."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    seen = Window(kernel_shape, auto_pad, dilations, pads, strides, ceil_mode).over(x, least)
    elements = [(Ellipsis, *element) for element in itertools.product(*map(range, seen.shape[x.ndim :]))]
    return functools.reduce(np.maximum, (seen[element] for element in elements))  # a maximum of seen itself is slow


@operator("AveragePool", auto_pad=PADDING)
def average_pool(
    x: Array,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Array:
    """The mean of each window's elements; with ``count_include_pad``, the padding counts too."""
    return means(x, Window(kernel_shape, auto_pad, dilations, pads, strides, ceil_mode), count_include_pad)


def means(x: Array, window: Window, count_include_pad: int) -> Array:
    """The mean of the elements that each window sees of x, (batch, channels, …)."""
    seen = window.over(x, 0)
    return seen.sum(_inside(seen, x.ndim - 2), x.dtype) / window.counts(x.shape[2:], count_include_pad, x.dtype)


functions(
    GlobalAveragePool=lambda x: x.mean(tuple(range(2, x.ndim)), keepdims=True),
    GlobalMaxPool=lambda x: x.max(tuple(range(2, x.ndim)), keepdims=True),
)
