"""Tensors of torch's checkpoints: what a pickle says of a tensor, checked, and its numbers from a storage's bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.conversion.pickles import Global, Unmade
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError

Array = np.ndarray[Any, np.dtype[Any]]

MAX_DIMENSIONS = 32
_MOST = 2**62
BFLOAT16 = "bfloat16"
# numpy's dtypes by torch's names; bfloat16 is read as its bits, and becomes float32.
_DTYPES: Mapping[str, str] = {
    "float32": "f4", "float64": "f8", "float16": "f2", BFLOAT16: "u2", "int64": "i8", "int32": "i4", "int16": "i2",
    "int8": "i1", "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "bool": "?", "complex64": "c8",
    "complex128": "c16",
}  # fmt: skip
_STORAGES: Mapping[str, str] = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": BFLOAT16,
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """A run of numbers that tensors lie in.

    Attributes:
        key: its name in the file.
        dtype: torch's name of its numbers' dtype; None for a dtype that is not read.
        count: the number of numbers.
        begin: the position in the file's numbers of this key, as storages may be parts of others.
    """

    key: str
    dtype: str | None
    count: int
    begin: int = 0

    @property
    def itemsize(self) -> int:
        """The bytes of a number."""
        return _size(self.dtype)


@dataclass(frozen=True, eq=False)
class TorchTensor:
    """A tensor without its numbers.

    Attributes:
        storage: the storage that it lies in.
        dtype: torch's name of its dtype, as for the storage.
        offset: the position of its first number in the storage.
        shape: its sizes.
        strides: the distance of neighbours in each dimension, in numbers.
    """

    storage: Storage
    dtype: str | None
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """The bytes of its numbers, once they lie one after the other; bfloat16 as float32."""
        return math.prod(self.shape) * (4 if self.dtype == BFLOAT16 else _size(self.dtype))

    def numbers(self, content: bytes, order: str) -> Array | Unread:
        """The tensor as a read-only array.

        Args:
            content: the bytes of its storage's key.
            order: ``"<"`` or ``">"``, the order of bytes in a number.

        Raises:
            FileFormatError: the storage does not have so many bytes, or the tensor lies outside of it.
        """
        if self.dtype is None:
            return Unread("is of a dtype that numpy does not have")
        dtype = np.dtype(order + _DTYPES[self.dtype])
        storage = self.storage
        given = storage.itemsize
        begin, end = storage.begin * given, (storage.begin + storage.count) * given
        if end > len(content):
            raise FileFormatError(f"storage {storage.key[:50]} has {len(content)} bytes; {end} are expected")
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape:
            return np.empty(self.shape, dtype)
        if (last + 1) * dtype.itemsize > end - begin:
            raise FileFormatError(f"a tensor {self.shape} lies outside of storage {storage.key[:50]}")
        count = last + 1 - self.offset
        flat = np.frombuffer(content, dtype, count, begin + self.offset * dtype.itemsize)
        if self.dtype == BFLOAT16:
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        strides = [stride * flat.itemsize for stride in self.strides]
        array: Array = np.lib.stride_tricks.as_strided(flat, self.shape, strides, writeable=False)
        return array


def _size(dtype: str | None) -> int:
    return 1 if dtype is None else np.dtype(_DTYPES[dtype]).itemsize


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _sizes(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MAX_DIMENSIONS and all(map(_is_whole, value))


def storage_of(given: Any) -> Any:
    """The thing that a pickle's reference to something outside of it stands for: a storage, or for a module the module.

    Raises:
        FileFormatError: it is no reference of torch's.
    """
    if type(given) is tuple and len(given) == 4 and given[0] == "module":  # with its source, which is left alone
        return given[1]
    if type(given) is not tuple or len(given) not in (5, 6) or given[0] != "storage":
        raise FileFormatError("the pickle refers to something that is no storage")
    kind, key, count, view = given[1], given[2], given[4], given[5] if len(given) == 6 else None
    if not isinstance(kind, Global) or not isinstance(key, str) or not _is_whole(count):
        raise FileFormatError("the pickle refers to a storage without kind, name or size")
    begin = 0
    if view is not None:  # (its own name, its position in the other storage, its size)
        if type(view) is not tuple or len(view) != 3 or not _is_whole(view[1]) or not _is_whole(view[2]):
            raise FileFormatError("the pickle refers to a part of a storage without position or size")
        begin, count = view[1:]
    return Storage(key, _STORAGES.get(kind.name.rpartition(".")[2]), count, begin)


def made(name: str, arguments: Any) -> Any:
    """The result of a call in a pickle: a tensor, an empty dict, a tuple of sizes; anything else is not made.

    Args:
        name: the full name of the function or class.
        arguments: its arguments.

    Raises:
        FileFormatError: a tensor's arguments are not those of a tensor.
    """
    make = _MADE.get(name)
    return Unmade(name) if make is None or type(arguments) is not tuple else make(name, arguments)


def _tensor(name: str, arguments: tuple[Any, ...]) -> TorchTensor:
    """The tensor of a call of ``_rebuild_tensor(storage, offset, size, stride, …)``."""
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise FileFormatError("a tensor without storage, position, sizes or strides")
    storage, offset, shape, strides = arguments[:4]
    dtype = storage.dtype
    if name.endswith("_v3"):  # (…, requires_grad, hooks, dtype), for dtypes that have no kind of storage
        given = arguments[6] if len(arguments) > 6 else None
        word = given.name.rpartition(".")[2] if isinstance(given, Global) else ""
        dtype = word if word in _DTYPES else None
    if not _is_whole(offset) or not _sizes(shape) or not _sizes(strides) or len(shape) != len(strides):
        raise FileFormatError(f"a tensor whose sizes or strides are not at most {MAX_DIMENSIONS} whole numbers")
    return TorchTensor(storage, dtype, offset, shape, strides)


def _again(name: str, arguments: tuple[Any, ...]) -> Any:
    """The result of ``_rebuild_from_type_v2(function, type, arguments, state)``."""
    if len(arguments) == 4 and isinstance(arguments[0], Global) and arguments[0].name != name:
        return made(arguments[0].name, arguments[2])
    return Unmade(name)


def _first(name: str, arguments: tuple[Any, ...]) -> Any:
    return arguments[0] if arguments else ()


def _empty(name: str, arguments: tuple[Any, ...]) -> Any:
    return Unmade(name) if arguments and name == "collections.OrderedDict" else {}


_MADE: Mapping[str, Callable[[str, tuple[Any, ...]], Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": _again,
    "torch.Size": _first,
    "collections.OrderedDict": _empty,
    "collections.defaultdict": _empty,
}
