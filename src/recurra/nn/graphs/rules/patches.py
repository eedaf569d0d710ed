"""``unfold`` and ``fold``: windows of images as columns, and the sum of overlapping windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from recurra.nn.graphs.rules.shaping import size_of
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import GraphSize, NodeWriter, Ref, numpy_dtype


@rule("aten.im2col.default")
def _windows(
    w: NodeWriter, x: Ref, kernel: Sequence[int], dilation: Sequence[int], padding: Sequence[int], stride: Sequence[int]
) -> str:
    """A convolution with a filter for each place of a window, and each channel as an image of its own."""
    if x.ndim != 4:
        raise ValueError("unfold is supported for (batch, channels, height, width)")
    images = w.node("Reshape", x, w.shape([-1, 1, size_of(w, x, 2), size_of(w, x, 3)]))
    columns = w.node(
        "Conv", images, _places(w, kernel, x.dtype), strides=tuple(stride), pads=(*padding, *padding),
        dilations=tuple(dilation),
    )  # fmt: skip
    joined = w.node("Reshape", columns, w.ints(0, 0, -1))
    count = Ref(w.node("Gather", w.node("Shape", joined), w.number(2, torch.int64), axis=0), None)
    return str(w.node("Reshape", joined, w.shape([size_of(w, x, 0), -1, count])))


@rule("aten.col2im.default")
def _overlapped(
    w: NodeWriter, x: Ref, sizes: Sequence[GraphSize], kernel: Sequence[int], dilation: Sequence[int],
    padding: Sequence[int], stride: Sequence[int],
) -> str:  # fmt: skip
    """A transposed convolution with a filter for each place of a window, cut to the size of the images."""
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    counts = [
        (size + 2 * pad - need) // step + 1 if isinstance(size, int) else -1
        for size, pad, need, step in zip(sizes, padding, reach, stride, strict=True)
    ]
    if x.ndim != 3 or counts.count(-1) > 1:
        raise ValueError("fold is supported for (batch, features, windows), to images with at most one free size")
    batch = size_of(w, x, 0)
    spread = w.node("Reshape", x, w.shape([batch, size_of(w, x, 1), *counts]))
    images = w.node("Reshape", spread, w.shape([-1, math.prod(kernel), *_sizes_of(w, spread)]))
    whole = w.node(
        "ConvTranspose", images, _places(w, kernel, x.dtype), strides=tuple(stride), dilations=tuple(dilation)
    )
    room = tuple(step - 1 for step in stride)
    whole = w.node("Pad", whole, w.ints(0, 0, 0, 0, 0, 0, *room), w.number(0, x.dtype), mode="constant")
    begins = w.ints(*padding)
    ends = w.node("Add", w.shape(sizes), begins)
    cut = w.node("Slice", whole, begins, ends, w.ints(2, 3))
    return str(w.node("Reshape", cut, w.shape([batch, -1, *sizes])))


def _sizes_of(w: NodeWriter, name: str) -> list[GraphSize]:
    """The two last sizes of an array of four dimensions."""
    shape = w.node("Shape", name)
    return [Ref(w.node("Gather", shape, w.number(dim, torch.int64), axis=0), None) for dim in (2, 3)]


def _places(w: NodeWriter, kernel: Sequence[int], dtype: torch.dtype) -> str:
    """A filter for each place of a window, which is 1 there."""
    area = math.prod(kernel)
    return w.tensor(np.eye(area, dtype=numpy_dtype(dtype)).reshape(area, 1, *kernel))
