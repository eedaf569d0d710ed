"""A reader of numpy's .npz files that checks every field, unpickles nothing, and refuses what unpacks to too much."""

from __future__ import annotations

import ast
import math
import re
import struct
from typing import IO, TYPE_CHECKING, Any
from zipfile import ZipFile, ZipInfo

import numpy as np

from recurra.conversion.archive import opened_archive
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_HEADER = 10_000  # bytes; the same as numpy's limit
MAX_DIMENSIONS = 32
_NUMBERS = re.compile(r"[<>|=]?[?biuf]\d{0,2}")


def read_npz(file: IO[bytes], size: int) -> dict[str, NDArray[Any] | Unread]:
    """Read the arrays of a file of ``size`` bytes, by name, in its order. Members without numbers are ``Unread``.

    Raises:
        FileFormatError: the file is damaged, has no arrays, or exceeds a cap.
        OSError, ValueError, MemoryError: the file cannot be read.
    """
    with opened_archive(file, size, ".npz") as archive:
        members = archive.infolist()
        if not any(member.filename.endswith(".npy") for member in members):
            raise FileFormatError("a zip file without arrays of numpy (.npy)")
        return {member.filename.removesuffix(".npy"): _member(archive, member) for member in members}


def _member(archive: ZipFile, member: ZipInfo) -> NDArray[Any] | Unread:
    if not member.filename.endswith(".npy"):
        return Unread("is no array of numpy")
    with archive.open(member) as file:
        return read_npy(file, member.file_size, f"{member.filename[:100]}: ")


def read_npy(file: IO[bytes], total: int, where: str = "") -> NDArray[Any] | Unread:
    """Read one array, as .npy files and the members of .npz files hold it.

    Args:
        file: the file, at its beginning.
        total: its number of bytes.
        where: the beginning of messages. Default: nothing.

    Raises:
        FileFormatError: the file is damaged, or is no array.
    """
    try:
        header = _header(file, total)
        if not _NUMBERS.fullmatch(header["descr"]):
            is_pickled = header["descr"].lstrip("|<>=").startswith("O")
            return Unread("holds pickled Python objects" if is_pickled else f"holds {header['descr'][:20]!r}")
        dtype = np.dtype(header["descr"])
    except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError, struct.error) as error:
        raise FileFormatError(f"{where}its header is damaged: {str(error)[:200]}") from None
    shape = header["shape"]
    expected, size = math.prod(shape) * dtype.itemsize, total - file.tell()
    if expected != size:
        raise FileFormatError(f"{where}{dtype} of shape {shape} takes {expected} bytes; there are {size}")
    content = file.read(size)
    if len(content) != size:
        raise FileFormatError(f"{where}the array is cut short")
    array: NDArray[Any] = np.frombuffer(content, dtype).reshape(shape, order="F" if header["fortran_order"] else "C")
    return array


def _header(file: IO[bytes], size: int) -> dict[str, Any]:
    """Read the header of an array, a Python literal with dtype, order and shape; a dtype with fields becomes "fields".

    Raises:
        ValueError, TypeError, MemoryError, RecursionError, SyntaxError, struct.error: the header is damaged.
    """
    start = file.read(8)
    if start[:6] != b"\x93NUMPY":
        raise ValueError("it does not begin as an array of numpy does")
    layout = "<H" if start[6:7] == b"\x01" else "<I"
    (length,) = struct.unpack(layout, file.read(struct.calcsize(layout)))
    if length > min(MAX_HEADER, size):
        raise ValueError(f"{length} bytes are too long")
    header = ast.literal_eval(file.read(length).decode("latin1").strip())
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise ValueError("descr, fortran_order and shape expected")
    shape = header["shape"]
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"the shape must be a tuple of at most {MAX_DIMENSIONS} whole numbers")
    if type(header["fortran_order"]) is not bool:
        raise ValueError("fortran_order must be True or False")
    if not isinstance(header["descr"], str):
        header["descr"] = "fields"
    return header
