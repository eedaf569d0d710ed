"""ConvTranspose: the convolution whose windows are those of the result."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from recurra.graph.operators.limits import checked_shape
from recurra.graph.operators.windows import PADDING
from recurra.graph.table import Array, operator


@operator("ConvTranspose", auto_pad=PADDING)
def transposed_convolution(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Array:
    """The sum of kernels times the elements of x, (batch, channels, …), each placed at its element times the stride.

    The weights are (channels, filters / group, …).
    """
    kernel, count = weight.shape[2:], weight.ndim - 2
    steps, spread = list(strides or [1] * count), list(dilations or [1] * count)
    extra = list(output_padding or [0] * count)
    fits = x.ndim == weight.ndim and group > 0 and x.shape[1] == weight.shape[0] and x.shape[1] % group == 0
    if not fits or tuple(kernel_shape or kernel) != kernel or {len(steps), len(spread), len(extra)} != {count}:
        raise ValueError(f"x {x.shape} and weights {weight.shape} do not fit kernel {kernel_shape} in {group} groups")
    if min((*steps, *spread, *kernel)) < 1 or min(extra, default=0) < 0:
        raise ValueError(f"kernel {kernel}, strides {steps} and dilations {spread} make no window")
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, spread, strict=True)]
    full = [s * (n - 1) + r + e for s, n, r, e in zip(steps, x.shape[2:], reach, extra, strict=True)]
    before, sizes = _borders(full, x.shape[2:], steps, auto_pad, pads, output_shape)
    batch, filters = x.shape[0], weight.shape[1] * group
    checked_shape((batch, filters, *sizes), x.dtype)
    room = [max(f, b + s) for f, b, s in zip(full, before, sizes, strict=True)]
    y = np.zeros(checked_shape((batch, group, weight.shape[1], *room), x.dtype), x.dtype)
    rows = x.reshape(batch, group, x.shape[1] // group, -1)
    matrices = weight.reshape(group, weight.shape[0] // group, weight.shape[1], *kernel)
    for place in itertools.product(*map(range, kernel)):
        part = np.matmul(matrices[(slice(None),) * 3 + place].swapaxes(1, 2), rows)
        spots = (
            slice(k * d, k * d + s * (n - 1) + 1, s)
            for k, d, s, n in zip(place, spread, steps, x.shape[2:], strict=True)
        )
        y[(slice(None),) * 3 + tuple(spots)] += part.reshape(*part.shape[:3], *x.shape[2:])
    chosen = tuple(slice(b, b + size) for b, size in zip(before, sizes, strict=True))
    y = y.reshape(batch, filters, *room)[(slice(None),) * 2 + chosen]
    if bias is None:
        return y
    if bias.shape != (filters,):
        raise ValueError(f"bias must be ({filters},); got {bias.shape}")
    return y + bias.reshape(-1, *(1,) * count)


def _borders(
    full: Sequence[int],
    shape: Sequence[int],
    steps: Sequence[int],
    auto_pad: str,
    pads: Sequence[int] | None,
    output_shape: Sequence[int] | None,
) -> tuple[list[int], list[int]]:
    """The elements that are cut off before each axis of the whole result, and the sizes that stay."""
    count = len(full)
    if output_shape is None and auto_pad in ("NOTSET", "VALID"):
        given = list(pads or [0] * 2 * count) if auto_pad == "NOTSET" else [0] * 2 * count
        if len(given) != 2 * count or min(given, default=0) < 0:
            raise ValueError(f"pads must be {2 * count} numbers from 0 on; got {given}")
        return given[:count], [f - b - a for f, b, a in zip(full, given[:count], given[count:], strict=True)]
    sizes = list(output_shape or [n * s for n, s in zip(shape, steps, strict=True)])
    if len(sizes) > count:  # with the batch and the channels before them
        sizes = sizes[-count:]
    totals = [max(0, f - size) for f, size in zip(full, sizes, strict=True)]
    return [total // 2 if auto_pad == "SAME_UPPER" else total - total // 2 for total in totals], sizes
