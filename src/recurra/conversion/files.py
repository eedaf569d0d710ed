"""``read_arrays``: the arrays of a file of any format that is read here, told by its content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from recurra.conversion.archive import opened_archive
from recurra.conversion.hdf5.groups import SIGNATURE
from recurra.conversion.keras_file import is_keras_zip, read_keras_h5, read_keras_zip
from recurra.conversion.npz import read_npy, read_npz
from recurra.conversion.torch_file import is_torch_zip, read_torch_pickles, read_torch_zip
from recurra.errors import FileFormatError, one_line
from recurra.model.file import read_weights
from recurra.model.file_errors import refusing
from recurra.model.safetensors import MAX_HEADER


class FileArrays(NamedTuple):
    """The content of a file.

    Attributes:
        arrays: its arrays, by name.
        skipped: what it holds besides, and was not read.
        config: the configuration of a model of Keras, as JSON; None where there is none.
    """

    arrays: Mapping[str, Any]
    skipped: Sequence[str] = ()
    config: Any = None


_TAR, _TAR_AT = b"ustar", 257
_NO_HDF5, _NO_ZIP = "nor is it an HDF5 file, as its name says", "nor is it a zip archive, as its name says"
# What is said of a file of no known format, by the end of its name.
_HINTS = {
    ".onnx": "recurra.onnx.load runs a whole ONNX model",
    ".h5": _NO_HDF5,
    ".hdf5": _NO_HDF5,
    ".keras": _NO_ZIP,
    ".npz": _NO_ZIP,
    ".pt": "nor is it a file of torch.save, as its name says",
    ".pth": "nor is it a file of torch.save, as its name says",
    ".npy": "nor is it a file of numpy.save, as its name says",
}


def read_arrays(path: str | os.PathLike[str]) -> FileArrays:
    """Read a file of numpy, safetensors, torch or Keras; the single array of a .npy file is named x.

    Raises:
        FileFormatError: the file cannot be read, is damaged, exceeds a cap, or has another format; nothing was run.
    """
    place = Path(path)
    with refusing(place):
        if place.exists() and not place.is_file():
            raise FileFormatError("not a plain file")  # reading a pipe might never end
        with place.open("rb") as file:
            read = read_known(file, place.stat().st_size)
            if read is not None:
                return read
    try:
        weights = read_weights(place)
    except FileFormatError as error:
        hint = _HINTS.get(place.suffix.lower())
        raise FileFormatError(one_line(f"{error}; {hint}" if hint else str(error))) from None
    return FileArrays(
        {name: weight.data if weight.dtype == "int64" else weight.values() for name, weight in weights.items()}
    )


def read_known(file: IO[bytes], size: int) -> FileArrays | None:
    """Read an open file of ``size`` bytes by its format; None where its first bytes are those of no known one.

    Raises:
        FileFormatError: the file is damaged, exceeds a cap, or has a format that is known and not read.
        OSError, ValueError, MemoryError: the file cannot be read.
    """
    first = file.read(_TAR_AT + len(_TAR))
    file.seek(0)
    if first[8:9] == b"{" and int.from_bytes(first[:8], "little") <= size - 8:
        return None  # safetensors: the length of its header may begin as another format does
    if first.startswith(b"PK"):
        return _read_zip(file, size)
    if first.startswith(b"\x80") and not _is_safetensors(first):
        return FileArrays(*read_torch_pickles(file, size))
    if first.startswith(SIGNATURE):
        return FileArrays(*read_keras_h5(file.read(size)))
    if first.startswith(b"\x93NUMPY"):
        return FileArrays({"x": read_npy(file, size)})
    if first.endswith(_TAR):
        raise FileFormatError(
            "a tar archive, as torch wrote before 0.1.10: load it in an older torch, and save it again"
        )
    return None


def _is_safetensors(first: bytes) -> bool:
    """Tell whether a file begins with a header's length and its brace: such a length may begin as a pickle does."""
    return first[8:9] == b"{" and int.from_bytes(first[:8], "little") <= MAX_HEADER


def _read_zip(file: IO[bytes], size: int) -> FileArrays:
    with opened_archive(file, size, ".npz, .pt or .keras") as archive:
        if is_keras_zip(archive):
            return FileArrays(*read_keras_zip(archive))
        is_torch = is_torch_zip(archive)
    file.seek(0)
    return FileArrays(*read_torch_zip(file, size)) if is_torch else FileArrays(read_npz(file, size))
