"""Arrays that are stored in chunks, each perhaps compressed, which a tree lists."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra.conversion.hdf5.content import NOWHERE, Content
from recurra.conversion.hdf5.filters import Filter, unfiltered
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError

Array = np.ndarray[Any, np.dtype[Any]]
_MAX_DEPTH = 20  # levels of a tree


class _Chunk(NamedTuple):
    """A chunk: where it begins in the array, its bytes in the file, and the filters that it was not put through."""

    begin: tuple[int, ...]
    at: int
    stored: int
    mask: int


def read_chunks(
    content: Content, layout: int, filters: Sequence[Filter], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array | Unread:
    """Read an array of chunks, read-only; ``Unread`` where a filter is not known, or chunks are missing.

    Args:
        content: the file.
        layout: the position of the array's layout, of version 3.
        filters: the filters of its chunks.
        shape: the array's shape.
        dtype: its dtype.

    Raises:
        FileFormatError: the layout, the tree or a chunk is damaged.
    """
    unknown = [each.name for each in filters if each.name]
    if unknown:
        return Unread(f"is compressed with {', '.join(unknown)}: save it with gzip, or without compression")
    count, tree = content.numbers(layout + 2, "BQ")
    if count != len(shape) + 1 or not shape:
        raise FileFormatError(f"damaged: chunks of {count - 1} dimensions for an array of {len(shape)}")
    *chunk, width = content.numbers(layout + 11, "I" * count)
    size = math.prod(chunk) * width
    if width != dtype.itemsize or size == 0:
        raise FileFormatError(f"damaged: chunks {tuple(chunk)} of {width} bytes for {shape} of {dtype}")
    content.unpack(math.prod(shape) * width)
    missing = math.prod(-(-whole // part) for whole, part in zip(shape, chunk, strict=True))
    array = np.zeros(shape, dtype)
    seen = set()
    for each in _chunks(content, tree, count, 0) if tree != NOWHERE else ():
        if each.begin in seen or any(begin % part for begin, part in zip(each.begin, chunk, strict=True)):
            raise FileFormatError(f"damaged: a chunk at {each.begin} of chunks {tuple(chunk)}")
        seen.add(each.begin)
        content.unpack(size)
        data = unfiltered(content.piece(each.at, each.stored), filters, each.mask, size)
        place = tuple(slice(begin, begin + part) for begin, part in zip(each.begin, chunk, strict=True))
        target = array[place]
        inside = np.frombuffer(data, dtype).reshape(chunk)[tuple(slice(length) for length in target.shape)]
        target[...] = inside
    if len(seen) != missing:
        return Unread(f"has {missing - len(seen)} of its {missing} chunks not in the file")
    array.flags.writeable = False
    return array


def _chunks(content: Content, at: int, count: int, depth: int) -> Iterator[_Chunk]:
    """The chunks in a tree; ``count`` is that of its positions' numbers."""
    if depth > _MAX_DEPTH:
        raise FileFormatError("damaged: a tree that contains itself")
    content.expect(at, b"TREE")
    kind, level, used = content.numbers(at + 4, "BBH")
    if kind != 1:
        raise FileFormatError("damaged: a tree of something else than chunks")
    key = 8 + 8 * count
    for number in range(used):
        content.step()
        place = at + 24 + number * (key + 8)
        stored, mask, *begin = content.numbers(place, "II" + "Q" * count)
        child = content.number(place + key, "Q")
        if level:
            yield from _chunks(content, child, count, depth + 1)
        else:
            yield _Chunk(tuple(begin[:-1]), child, stored, mask)
