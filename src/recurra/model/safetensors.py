"""The safetensors container: a length, a header in JSON, and numbers; every field is checked when it is read.

The format is that of the safetensors project, and its library reads the files written here. That library is not used
for reading: it accepts more than a model needs (headers of 100 MB, keys that occur twice, names of any characters),
and numpy has no dtype for its bfloat16.
"""

from __future__ import annotations

import json
import math
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from recurra.errors import FileFormatError
from recurra.program.serial import shown, strict_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_HEADER = 4 * 2**20  # bytes
MAX_TENSORS = 10_000
MAX_NAME = 500  # characters
MAX_DIMENSIONS = 8
MAX_BYTES = 2**62

# Other formats, by the first bytes of their files.
OTHERS: Mapping[bytes, str] = {
    b"PK\x03\x04": "a zip archive, as torch.save, Keras and numpy.savez write (weights: recurra.convert)",
    b"\x80": "a pickle, which could run anything when it is read (of torch: recurra.convert)",
    b"\x08": "perhaps an ONNX model (recurra.onnx.load)",
    b"\x89HDF": "an HDF5 file (weights of Keras: recurra.convert)",
    b"\x93NUMPY": "a single array of numpy",
}

_SHOWN = 80  # characters of a name in a message
_ENTRY = {"dtype", "shape", "data_offsets"}
T = TypeVar("T")

# The dtypes of the format that are read here, and numpy's dtypes for them; bfloat16 is held as its bits.
DTYPES: Mapping[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


class Tensor(NamedTuple):
    """An array of a file.

    Attributes:
        dtype: a key of DTYPES.
        data: the numbers; read-only where they come from a file.
    """

    dtype: str
    data: NDArray[Any]


class _Place(NamedTuple):
    """The position of an array among a file's numbers."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """The bytes of a file, piece by piece.

    Raises:
        FileFormatError: a reader would refuse the file: its header is too long, or a name is not allowed.
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
    _contents(text, position)
    yield struct.pack("<Q", len(text)) + text
    for name in names:
        dtype = DTYPES[tensors[name].dtype]
        yield _bytes(np.ascontiguousarray(tensors[name].data, dtype))


def unpack(path: str | os.PathLike[str], take: Callable[[Mapping[str, Tensor], Mapping[str, str]], T]) -> T:
    """Read a file's arrays and metadata, and return what ``take`` makes of them.

    Args:
        path: the file's path.
        take: gets the arrays and the metadata once the header is checked. The arrays have their shapes then, and get
            their numbers after ``take`` has returned, so that it can refuse a file of gigabytes at once.

    Raises:
        FileFormatError: the file is damaged, or exceeds a cap.
        OSError, ValueError, MemoryError: the file cannot be read.
    """
    with open(_opened(path), "rb") as file:
        return unpack_from(file, os.fstat(file.fileno()).st_size, take)


def metadata_of(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a file's metadata alone; its numbers are not read.

    Raises:
        FileFormatError: the header is damaged, or exceeds a cap.
        OSError, ValueError: the file cannot be read.
    """
    with open(_opened(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = _length(file.read(8), size)
        return _contents(file.read(length), size - 8 - length)[1]


def unpack_from(file: BufferedIOBase, size: int, take: Callable[[Mapping[str, Tensor], Mapping[str, str]], T]) -> T:
    """Do what ``unpack`` does, for an open file of ``size`` bytes."""
    length = _length(file.read(8), size)
    places, metadata = _contents(file.read(length), size - 8 - length)
    tensors = {name: Tensor(place.dtype, np.empty(place.shape, DTYPES[place.dtype])) for name, place in places.items()}
    taken = take(tensors, metadata)
    for name in sorted(places, key=lambda name: places[name].begin):
        data = tensors[name].data
        if file.readinto(_bytes(data)) != data.nbytes:
            raise FileFormatError("the file is cut short")
        data.flags.writeable = False
    return taken


def _bytes(data: NDArray[Any]) -> memoryview:
    """The memory of a contiguous array."""
    return data.reshape(-1).view(np.uint8).data


def _opened(path: str | os.PathLike[str]) -> int:
    """The descriptor of a plain file, opened; pipes and devices are refused, as they may never end."""
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
        for begin, other in OTHERS.items():
            if first.startswith(begin):
                raise FileFormatError(f"{other}; not a safetensors file")
        raise FileFormatError(f"not a safetensors file, or its header of {length} bytes is longer than {MAX_HEADER}")
    if length + 8 > size:
        raise FileFormatError(f"the file ends after {size} bytes, inside of its header of {length}")
    return length


def _header(text: bytes) -> dict[str, Any]:
    if not text.startswith(b"{"):
        raise FileFormatError("the header is no object of JSON")
    try:
        header: dict[str, Any] = strict_json(text.decode())
    except UnicodeDecodeError:
        raise FileFormatError("the header is no UTF-8") from None
    except ValueError as error:
        raise FileFormatError(f"the header is damaged: {error}") from None
    return header


def _contents(text: bytes, size: int) -> tuple[dict[str, _Place], dict[str, str]]:
    """The positions of the arrays and the metadata that a header tells; ``size`` bytes of numbers follow it."""
    header = _header(text)
    metadata = _metadata(header.pop("__metadata__", {}))
    if len(header) > MAX_TENSORS:
        raise FileFormatError(f"the file has {len(header)} arrays; at most {MAX_TENSORS} are read")
    places = {name: _place(name, entry) for name, entry in header.items()}
    _check_cover(places, size)
    return places, metadata


def _metadata(content: Any) -> dict[str, str]:
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise FileFormatError("'__metadata__' must hold texts by name")
    return content


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_BYTES


def _place(name: str, entry: Any) -> _Place:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise FileFormatError(f"{shown(name)} is no name of an array: not 1 to {MAX_NAME} characters that can be shown")
    name = name[:_SHOWN]
    if not isinstance(entry, dict) or entry.keys() != _ENTRY:
        raise FileFormatError(f"{name}: dtype, shape and data_offsets expected")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise FileFormatError(f"{name} has the dtype {shown(dtype)}; read are {', '.join(DTYPES)}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(map(_is_whole, shape)):
        raise FileFormatError(f"{name}: the shape must be a list of at most {MAX_DIMENSIONS} whole numbers")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_whole, offsets)):
        raise FileFormatError(f"{name}: data_offsets must be two whole numbers")
    begin, end = offsets
    if math.prod(shape) * DTYPES[dtype].itemsize != end - begin:
        raise FileFormatError(f"{name}: {dtype} of shape {shape} does not take {end - begin} bytes")
    if math.prod(length for length in shape if length) * DTYPES[dtype].itemsize > MAX_BYTES:
        raise FileFormatError(f"{name}: the shape {shape} is too large, even for nothing")
    return _Place(dtype, tuple(shape), begin, end)


def _check_cover(places: Mapping[str, _Place], size: int) -> None:
    """Refuse arrays that do not cover the file's numbers, without overlap or hole."""
    position = 0
    for name, place in sorted(places.items(), key=lambda item: (item[1].begin, item[1].end)):
        if place.begin != position:
            problem = "overlaps the array before it" if place.begin < position else "has a hole before it"
            raise FileFormatError(f"{name[:_SHOWN]} {problem}: it begins at {place.begin}, expected was {position}")
        position = place.end
    if position != size:
        problem = "is cut short" if position > size else "goes on behind its last array"
        raise FileFormatError(f"the file {problem}: {size} bytes of numbers, {position} expected")
