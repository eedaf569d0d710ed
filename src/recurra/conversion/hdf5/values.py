"""Arrays and texts: datatypes, shapes, and where the numbers lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra.conversion.hdf5.chunks import read_chunks
from recurra.conversion.hdf5.content import NOWHERE, Content, decoded
from recurra.conversion.hdf5.filters import filters_of
from recurra.conversion.hdf5.messages import ATTRIBUTE, DATASPACE, DATATYPE, FILTERS, LAYOUT, Message
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError

Array = np.ndarray[Any, np.dtype[Any]]

MAX_DIMENSIONS = 32
MAX_TEXT = 16 * 2**20  # bytes
_WHOLE, _REAL, _TEXT, _OPAQUE, _VARYING = 0, 1, 3, 5, 9  # classes of datatypes
_FLOATS = {(2, 5, 10): "f2", (4, 8, 23): "f4", (8, 11, 52): "f8"}  # by bytes, bits of exponent and of mantissa
_BFLOAT16 = (2, 8, 7)
_COMPACT, _CONTIGUOUS, _CHUNKED = 0, 1, 2
_SCALAR, _NULL = 0, 2


def array_of(content: Content, own: list[Message], attributes: dict[str, str]) -> Array | Unread:
    """The array of an object with these messages, read-only; ``Unread`` where it has none that are read.

    Raises:
        FileFormatError: a message is damaged, or the numbers lie outside of the file.
    """
    by_kind = {message.kind: message for message in own}
    if not {DATASPACE, DATATYPE, LAYOUT} <= by_kind.keys():
        return Unread("is of a named or shared datatype")
    dtype = _dtype(content, by_kind[DATATYPE].at, attributes)
    shape = _shape(content, by_kind[DATASPACE].at)
    if dtype is None or shape is None:
        return Unread("holds no numbers")
    kind = np.dtype(dtype if dtype != "bf16" else "<u2")
    layout = by_kind[LAYOUT].at
    filters = filters_of(content, by_kind[FILTERS].at) if FILTERS in by_kind else []
    array: Array | Unread
    if content.numbers(layout, "BB") == (3, _CHUNKED):
        array = read_chunks(content, layout, filters, shape, kind)
    else:
        size = math.prod(shape) * kind.itemsize
        at = _place(content, layout, size)
        array = at if isinstance(at, Unread) else np.frombuffer(content.piece(at, size), kind).reshape(shape)
    if isinstance(array, Unread) or dtype != "bf16":
        return array
    return (array.astype(np.uint32) << 16).view(np.float32)


def _dtype(content: Content, at: int, attributes: dict[str, str]) -> str | None:
    """numpy's dtype of the datatype at a position; None where it is not one of numbers."""
    kind, flags = content.numbers(at, "BB")
    size = content.number(at + 4, "I")
    kind &= 15
    order = ">" if flags & 1 else "<"
    if kind == _WHOLE:
        begin, bits = content.numbers(at + 8, "HH")
        if begin or bits != 8 * size or size not in (1, 2, 4, 8):
            return None
        return f"{order}{'i' if flags & 8 else 'u'}{size}"
    if kind == _REAL:
        _, exponent, _, mantissa = content.numbers(at + 12, "BBBB")
        if flags & 0x40:
            return None
        if (size, exponent, mantissa) == _BFLOAT16:
            return "bf16" if order == "<" else None
        code = _FLOATS.get((size, exponent, mantissa))
        return None if code is None else order + code
    if kind == _OPAQUE and size == 2 and attributes.get("dtype") == "bfloat16":  # as Keras stores it
        return "bf16"
    return None


def _shape(content: Content, at: int) -> tuple[int, ...] | None:
    """The shape of the dataspace at a position; None where it holds nothing."""
    version, rank, _, kind = content.numbers(at, "BBBB")
    if version not in (1, 2) or rank > MAX_DIMENSIONS:
        raise FileFormatError(f"damaged: a shape of version {version} and {rank} dimensions")
    if version == 2 and kind == _NULL:
        return None
    return content.numbers(at + (8 if version == 1 else 4), "Q" * rank)


def _place(content: Content, at: int, size: int) -> int | Unread:
    """The position of an array's ``size`` bytes, from its layout."""
    version, kind = content.numbers(at, "BB")
    if version not in (3, 4):
        return Unread("is stored in a form of before HDF5 1.6")
    if kind == _COMPACT:
        stored, place = content.number(at + 2, "H"), at + 4
    elif kind == _CONTIGUOUS:
        place, stored = content.numbers(at + 2, "QQ")
    else:
        return Unread("is stored in chunks in the form of libver='latest': write the file with h5py's defaults")
    if size == 0:
        return 0
    if place == NOWHERE:
        return Unread("has no numbers in the file")
    if stored < size:
        raise FileFormatError(f"damaged: an array of {size} bytes has {stored}")
    return place


def texts_of(content: Content, own: list[Message]) -> dict[str, str]:
    """The attributes of an object that are single texts, by name.

    Raises:
        FileFormatError: an attribute is damaged.
    """
    texts: dict[str, str] = {}
    for message in own:
        if message.kind == ATTRIBUTE:
            found = _attribute(content, message)
            if found is not None:
                texts[found[0]] = found[1]
    return texts


def _attribute(content: Content, message: Message) -> tuple[str, str] | None:
    at = message.at
    version, flags, *sizes = content.numbers(at, "BBHHH")
    if version not in (1, 2, 3) or (version > 1 and flags):
        return None
    begin = at + (9 if version == 3 else 8)
    spans = [-(-size // 8) * 8 if version == 1 else size for size in sizes]
    name_at, type_at, space_at = begin, begin + spans[0], begin + spans[0] + spans[1]
    kind = content.number(type_at, "B") & 15
    size = content.number(type_at + 4, "I")
    shape = _shape(content, space_at)
    if kind not in (_TEXT, _VARYING) or shape != () or size > MAX_TEXT:
        return None
    value_at = space_at + spans[2]
    if kind == _TEXT:
        return decoded(content.piece(name_at, sizes[0])), decoded(content.piece(value_at, size))
    if content.number(type_at + 1, "B") & 15 != 1:  # a list, and no text
        return None
    length, heap, number = content.numbers(value_at, "IQI")
    return decoded(content.piece(name_at, sizes[0])), decoded(_in_heap(content, heap, number)[:length])


def _in_heap(content: Content, at: int, number: int) -> bytes:
    """The object of this number in the global heap at a position; empty where the number is 0."""
    if number == 0:
        return b""
    content.expect(at, b"GCOL")
    end = at + content.number(at + 8, "Q")
    at += 16
    while at + 16 <= end:
        content.step()
        index, _, _, size = content.numbers(at, "HHIQ")
        if index == number:
            return content.piece(at + 16, size)
        if index == 0:
            break
        at += 16 + -(-size // 8) * 8
    raise FileFormatError("damaged: a text is missing")
