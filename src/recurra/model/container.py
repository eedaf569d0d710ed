"""The safetensors container: a length, a header in JSON, and numbers; read with every field checked.

The format is that of the safetensors project, whose library reads what is written here. For reading, it allows more
than a model needs: headers of 100 MB, keys that occur twice; and numpy has no dtype for bfloat16.
"""

from __future__ import annotations

import json
import math
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import FileFormatError
from recurra.program.serial import strict_json

MAX_HEADER = 16 * 2**20  # bytes
MAX_TENSORS = 100_000
MAX_DIMENSIONS = 8
MAX_BYTES = 2**62

# The dtypes of the format that are read here, with how numpy holds them: bfloat16 as its bits.
DTYPES: Mapping[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I8": np.dtype("i1"),
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array of a file.

    Attributes:
        dtype: a key of DTYPES.
        data: its numbers, read-only.
    """

    dtype: str
    data: NDArray[Any]


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """The bytes of a file, piece by piece.

    Raises:
        FileFormatError: the header would be longer than a reader accepts.
    """
    # Wide dtypes first, as the safetensors library does, so that every array begins at a multiple of its dtype's size.
    names = sorted(tensors, key=lambda name: (-DTYPES[tensors[name].dtype].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for name in names:
        data = tensors[name].data
        header[name] = {
            "dtype": tensors[name].dtype,
            "shape": list(data.shape),
            "data_offsets": [position, position + data.nbytes],
        }
        position += data.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise FileFormatError(f"the header would have {len(text)} bytes; at most {MAX_HEADER} are read")
    yield struct.pack("<Q", len(text)) + text
    for name in names:
        wanted = DTYPES[tensors[name].dtype]
        yield np.ascontiguousarray(tensors[name].data, wanted).reshape(-1).data.cast("B")


def unpack(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The arrays and the metadata of a file.

    Raises:
        FileFormatError: it cannot be read, is damaged, or goes beyond a cap; the message names the file.
    """
    try:
        with open(_opened(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = _length(file.read(8), size)
            header = _header(file.read(length))
            metadata = _metadata(header.pop("__metadata__", {}))
            places = _places(header, size - 8 - length)
            content = np.empty(size - 8 - length, np.uint8)
            if file.readinto(content.data) != content.nbytes:
                raise FileFormatError("the file is cut short")
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    content.flags.writeable = False
    return {name: _tensor(content, *place) for name, place in places.items()}, metadata


def _opened(path: str | os.PathLike[str]) -> int:
    """A plain file, open; of a pipe or a device nobody knows when it ends."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileFormatError("not a plain file")
    return descriptor


def _length(first: bytes, size: int) -> int:
    if len(first) < 8:
        raise FileFormatError(f"{size} bytes are no safetensors file")
    length = int(struct.unpack("<Q", first)[0])
    if length > MAX_HEADER:
        raise FileFormatError(f"not a safetensors file, or its header of {length} bytes is longer than {MAX_HEADER}")
    if length + 8 > size:
        raise FileFormatError(f"the file ends after {size} bytes, inside of its header of {length}")
    return length


def _header(text: bytes) -> dict[str, Any]:
    if not text.startswith(b"{"):
        raise FileFormatError("the header is no object of JSON")
    try:
        header = strict_json(text.decode())
    except UnicodeDecodeError:
        raise FileFormatError("the header is no UTF-8") from None
    except ValueError as error:
        raise FileFormatError(f"the header is damaged: {error}") from None
    if not isinstance(header, dict) or len(header) > MAX_TENSORS + 1:
        raise FileFormatError(f"the header must be an object of at most {MAX_TENSORS} arrays")
    return header


def _metadata(content: Any) -> dict[str, str]:
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise FileFormatError("'__metadata__' must hold texts by name")
    return content


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_BYTES


def _places(header: Mapping[str, Any], size: int) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """Of each array dtype, shape, begin and end; together they cover the file's numbers, without overlap or hole."""
    places: dict[str, tuple[str, tuple[int, ...], int, int]] = {}
    for name, entry in header.items():
        shown = name[:100]
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise FileFormatError(f"{shown}: dtype, shape and data_offsets expected")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise FileFormatError(f"{shown} has the dtype {str(dtype)[:20]!r}; read are {', '.join(DTYPES)}")
        if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(map(_whole, shape)):
            raise FileFormatError(f"{shown}: the shape must be a list of at most {MAX_DIMENSIONS} whole numbers")
        if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_whole, offsets)):
            raise FileFormatError(f"{shown}: data_offsets must be two whole numbers")
        if math.prod(shape) * DTYPES[dtype].itemsize != offsets[1] - offsets[0]:
            raise FileFormatError(f"{shown}: {dtype} of shape {shape} does not take {offsets[1] - offsets[0]} bytes")
        places[name] = (dtype, tuple(shape), offsets[0], offsets[1])
    position = 0
    for name, (_, _, begin, end) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != position:
            problem = "overlaps the array before it" if begin < position else "has a hole before it"
            raise FileFormatError(f"{name[:100]} {problem}: it begins at {begin}, expected was {position}")
        position = end
    if position != size:
        problem = "is cut short" if position > size else "goes on behind its last array"
        raise FileFormatError(f"the file {problem}: {size} bytes of numbers, {position} expected")
    return places


def _tensor(content: NDArray[np.uint8], dtype: str, shape: tuple[int, ...], begin: int, end: int) -> Tensor:
    piece = content[begin:end]
    if piece.size and piece.__array_interface__["data"][0] % DTYPES[dtype].itemsize:
        piece = piece.copy()  # a file by another hand: numbers that do not begin where the processor wants them
        piece.flags.writeable = False
    return Tensor(dtype, piece.view(DTYPES[dtype]).reshape(shape))
