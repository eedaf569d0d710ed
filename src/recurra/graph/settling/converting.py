"""Steps between floats and the 8-bit numbers that stand for them, for settlers of operators on such numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.engines.steps import Quanta
from recurra.graph.settling.node import SettlingNode
from recurra.graph.table import Array

ChannelSizes = tuple[int, int, int]  # (outer, channels, inner)


def is_single(scale: Array | None, zero: Array | None, dtype: Any) -> bool:
    """Tell whether there is one scale, float32, and at most one zero point, of this dtype."""
    if scale is None or scale.dtype != np.float32 or scale.size != 1:
        return False
    return zero is None or (zero.size == 1 and zero.dtype == dtype)


def _shaped(numbers: Array, parameters: Quanta, sizes: ChannelSizes) -> Quanta:
    zero = None if parameters.zero is None else parameters.zero.reshape(-1)
    return Quanta(numbers.reshape(sizes), parameters.scale.reshape(-1), zero)


def quantize(node: SettlingNode, x: Array, y: Quanta, sizes: ChannelSizes | None = None) -> None:
    """Add the step that writes y for x, contiguous float32; by default with one scale."""
    shape = (1, 1, x.size) if sizes is None else sizes
    node.runs.append(node.maker.quantization(x.reshape(shape), _shaped(y.numbers, y, shape)))


def dequantize(node: SettlingNode, x: Quanta, y: Array, sizes: ChannelSizes | None = None) -> None:
    """Add the step that writes the float32 y for x; by default with one scale."""
    shape = (1, 1, y.size) if sizes is None else sizes
    node.runs.append(node.maker.dequantization(_shaped(node.contiguous(x.numbers), x, shape), y.reshape(shape)))


def floats_of(node: SettlingNode, x: Quanta) -> Array:
    """The floats that 8-bit numbers of one scale stand for, for this node's steps."""
    floats = node.passing(x.numbers.shape, np.float32)
    dequantize(node, x, floats)
    return floats
