"""Filters of chunks: compression by gzip, shuffled bytes and checksums; any other is named."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from recurra.conversion.hdf5.content import Content
from recurra.errors import FileFormatError

_GZIP, _SHUFFLE, _CHECKSUM = 1, 2, 3
_NAMES = {4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32015: "zstd"}
_MAX_FILTERS = 32
_HAS_NAME = 256  # from this number on a filter has a name in version 2 too


class Filter(NamedTuple):
    """A filter that a chunk went through.

    Attributes:
        number: its number in the format.
        values: its settings.
    """

    number: int
    values: tuple[int, ...]

    @property
    def name(self) -> str:
        """Its name, for messages; empty for one that is read."""
        if self.number in (_GZIP, _SHUFFLE, _CHECKSUM):
            return ""
        return _NAMES.get(self.number, f"filter {self.number}")


def filters_of(content: Content, at: int) -> list[Filter]:
    """The filters of an array, from the message at a position, in the order in which they were applied.

    Raises:
        FileFormatError: the message is damaged.
    """
    version, count = content.numbers(at, "BB")
    if version not in (1, 2) or count > _MAX_FILTERS:
        raise FileFormatError(f"damaged: {count} filters of version {version}")
    at += 8 if version == 1 else 2
    found = []
    for _ in range(count):
        content.step()
        number, at = content.number(at, "H"), at + 2
        name = 0
        if version == 1 or number >= _HAS_NAME:
            name, at = content.number(at, "H"), at + 2
        _, settings = content.numbers(at, "HH")
        at += 4 + (-(-name // 8) * 8 if version == 1 else name)
        found.append(Filter(number, content.numbers(at, "I" * settings)))
        at += 4 * (settings + (settings & 1 if version == 1 else 0))
    return found


def unfiltered(stored: bytes, filters: Sequence[Filter], mask: int, size: int) -> bytes:
    """The ``size`` bytes of a chunk as it was before its filters.

    Args:
        stored: the chunk's bytes in the file.
        filters: the array's filters, in the order in which they were applied.
        mask: bit n is set where filter n was passed over.
        size: the bytes of a chunk without filters.

    Raises:
        FileFormatError: the bytes do not become that many.
    """
    data = stored
    for number, each in reversed(list(enumerate(filters))):
        if mask >> number & 1:
            continue
        if each.number == _GZIP:
            data = _inflated(data, size + 4 * len(filters))  # a checksum may be inside
        elif each.number == _CHECKSUM:
            data = data[:-4]
        elif each.number == _SHUFFLE:
            data = _put_in_order(data, each.values[0] if each.values else 1)
    if len(data) != size:
        raise FileFormatError(f"damaged: a chunk of {len(data)} bytes, not {size}")
    return data


def _inflated(data: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        return stream.decompress(data, most)
    except zlib.error:
        raise FileFormatError("damaged: a chunk that cannot be decompressed") from None


def _put_in_order(data: bytes, width: int) -> bytes:
    """The bytes of elements that were stored as all first bytes, all second ones, and so on; a rest stays."""
    count = len(data) // width if width else 0
    if width < 2 or count < 2:
        return data
    whole = np.frombuffer(data, np.uint8, count * width).reshape(width, count)
    ordered: bytes = whole.T.tobytes()
    return ordered + data[count * width :]
