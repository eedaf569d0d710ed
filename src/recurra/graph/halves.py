"""Arrays of bfloat16 in a graph's file: numpy lacks the dtype, and the graph has them as float32."""

from __future__ import annotations

import numpy as np

from recurra.graph.table import Array


class HalfArrays:
    """The arrays of a file that is being read whose bits are still to come."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Array, Array]] = []  # bits, and the float32 array that they will fill

    def widened(self, bits: Array) -> Array:
        """The float32 array for an array of bits, whose numbers come later."""
        wide = np.empty(bits.shape, np.float32)
        self._waiting.append((bits, wide))
        return wide.view()

    def fill(self) -> None:
        """Fill all arrays, now that the bits are there."""
        for bits, wide in self._waiting:
            wide.view(np.uint32)[...] = bits
            wide.view(np.uint32)[...] <<= 16
            wide.flags.writeable = False


def half_of(array: Array) -> Array | None:
    """The bits of a float32 matrix whose numbers all are bfloat16; None for all other arrays."""
    if array.dtype != np.float32 or array.ndim < 2 or not array.size:
        return None
    bits = np.ascontiguousarray(array).view(np.uint32)
    return None if (bits & 0xFFFF).any() else (bits >> 16).astype(np.uint16)
