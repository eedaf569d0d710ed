"""Pictures as PNG files (PNG specification, third edition), without another library."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _INDEXED = 2, 3  # types of colour
_MOST_INDEXED = 256


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Write a picture as a PNG file; one of at most 256 colours takes a byte for each pixel, before compression.

    Args:
        pixels: uint8 (height, width, 3), red, green and blue.

    Raises:
        ValueError: the pixels have another shape or dtype, or there are none.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"pixels must be uint8 (height, width, 3), and some; got {pixels.dtype} {pixels.shape}")
    height, width, _ = pixels.shape
    colours, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    if len(colours) <= _MOST_INDEXED:
        kind, palette, lines = _INDEXED, _chunk(b"PLTE", colours.tobytes()), places.astype(np.uint8)
    else:
        kind, palette, lines = _RGB, b"", np.ascontiguousarray(pixels)
    unfiltered = np.pad(lines.reshape(height, -1), ((0, 0), (1, 0)))  # a line begins with 0: not filtered
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    body = _chunk(b"IDAT", zlib.compress(unfiltered.tobytes(), 9))
    return _SIGNATURE + _chunk(b"IHDR", head) + palette + body + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
