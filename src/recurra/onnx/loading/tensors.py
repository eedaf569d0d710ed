"""The tensors of an ONNX file as arrays, read from it or from a data file beside it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import OnnxError
from recurra.graph.dtypes import read_dtype
from recurra.graph.table import Array

if TYPE_CHECKING:
    from onnx import TensorProto


class Tensors:
    """Reads tensors.

    Args:
        path: path of the model; data files are read from its folder alone.
    """

    def __init__(self, path: Path) -> None:
        self._name, self._folder = path.name, path.resolve().parent

    def read(self, proto: TensorProto) -> Array:
        """Read a tensor as a read-only array.

        Raises:
            OnnxError: the data do not fit shape and type, or lie outside of the model's folder.
            ValueError: the type is not supported.
        """
        from onnx import TensorProto, numpy_helper

        shape = tuple(proto.dims)
        if any(size < 0 for size in shape):
            raise self._error(proto, f"shape {shape} has a negative size")
        if proto.data_location == TensorProto.EXTERNAL:
            array = self._external(proto, shape)
        else:
            try:
                array = numpy_helper.to_array(proto)
            except (TypeError, ValueError) as error:
                raise self._error(proto, str(error)) from None
        array = np.require(array, read_dtype(proto.data_type), ["C", "A"])
        array = array.view()
        array.flags.writeable = False
        return array

    def _external(self, proto: TensorProto, shape: tuple[int, ...]) -> Array:
        """Read a tensor whose data are in a file of their own, little-endian."""
        entries = {entry.key: entry.value for entry in proto.external_data}
        file = self._data_file(proto, entries.get("location", ""))
        dtype = read_dtype(proto.data_type).newbyteorder("<")
        needed = math.prod(shape) * dtype.itemsize
        offset, length = (self._number(proto, entries.get(key, default)) for key, default in _PLACE.items())
        available = file.stat().st_size
        if (length and length != needed) or offset + needed > available:
            raise self._error(
                proto, f"shape {shape} needs {needed} bytes at {offset} of {file.name}, which has {available}"
            )
        try:
            return np.fromfile(file, dtype, math.prod(shape), offset=offset).reshape(shape)
        except ValueError as error:  # more dimensions than numpy has
            raise self._error(proto, str(error)) from None

    def _data_file(self, proto: TensorProto, location: str) -> Path:
        path = Path(location)
        try:
            resolved = (self._folder / path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise self._error(proto, f"there is no data file {location!r}") from None
        is_inside = not path.is_absolute() and ".." not in path.parts and self._folder in resolved.parents
        if not is_inside or not resolved.is_file():
            raise self._error(proto, f"data file {location!r} is no file in the model's folder")
        return resolved

    def _number(self, proto: TensorProto, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise self._error(proto, f"external data at {text[:20]!r}: no number of bytes")
        return int(text)

    def _error(self, proto: TensorProto, fact: str) -> OnnxError:
        return OnnxError(f"{self._name}: tensor {proto.name!r}: {fact}")


_PLACE = {"offset": "0", "length": "0"}
