"""A reader of torch's checkpoints (.pt, .pth, .bin, .ckpt) without torch: it makes arrays alone, and runs nothing."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import IO, Any
from zipfile import ZipFile

from recurra.conversion.archive import most_bytes, opened_archive, whole
from recurra.conversion.pickles import Unmade, read_pickle
from recurra.conversion.tensor_tree import found_tensors
from recurra.conversion.torch_tensors import Array, Storage, TorchTensor, made, storage_of
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError

_PICKLE = "data.pkl"
_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of files from before torch 1.6
_BYTE_ORDERS = {b"little": "<", b"big": ">"}

TorchArrays = dict[str, "Array | Unread"]


def is_torch_zip(archive: ZipFile) -> bool:
    """Whether an archive is one that ``torch.save`` wrote, by the names of its members."""
    return bool(_roots(archive))


def read_torch_zip(file: IO[bytes], size: int) -> tuple[TorchArrays, list[str]]:
    """Read the arrays of a file of ``torch.save``, by name, and the names of what was skipped.

    Tensors inside of dicts and lists have names with dots, as in a state_dict. Of pickled modules the parameters and
    buffers are read, by the same names. bfloat16 becomes float32; tensors that numpy cannot hold are ``Unread``.

    Args:
        file: the file.
        size: its number of bytes.

    Raises:
        FileFormatError: the file is damaged, holds no tensors, or exceeds a cap.
        OSError, ValueError, MemoryError: the file cannot be read.
    """
    with opened_archive(file, size, ".pt") as archive:
        roots, names = _roots(archive), set(archive.namelist())
        if len(roots) != 1:
            raise FileFormatError(f"{len(roots)} members are named {_PICKLE}; a file of torch.save has one")
        [root] = roots
        order = "<"
        if f"{root}byteorder" in names:
            order = _BYTE_ORDERS.get(whole(archive, f"{root}byteorder").strip(), "")
            if not order:
                raise FileFormatError("its byteorder is neither little nor big")
        value, _ = read_pickle(whole(archive, root + _PICKLE), 0, made, storage_of)
        tensors, skipped = found_tensors(value)

        def content(storage: Storage) -> bytes:
            name = f"{root}data/{storage.key}"
            if name not in names:
                raise FileFormatError(f"storage {storage.key[:50]} is missing")
            return whole(archive, name)

        return _arrays(tensors, content, order, size), skipped


def _roots(archive: ZipFile) -> list[str]:
    """The folders of an archive that hold a pickle of torch's."""
    return [name.removesuffix(_PICKLE) for name in archive.namelist() if name.rpartition("/")[2] == _PICKLE]


def read_torch_pickles(file: IO[bytes], size: int) -> tuple[TorchArrays, list[str]]:
    """Do what ``read_torch_zip`` does, for files that ``torch.save`` wrote before torch 1.6: pickles, then numbers."""
    data = file.read(size)
    storages: dict[str, Storage] = {}

    def persistent(given: Any) -> Any:
        found = storage_of(given)
        return storages.setdefault(found.key, found) if isinstance(found, Storage) and not found.begin else found

    magic, at = read_pickle(data, 0, made)
    if magic != _MAGIC or type(magic) is not int:
        raise FileFormatError("a pickle that torch.save did not write; nothing of it is read, as a pickle is a program")
    for _ in range(2):  # a version, and a description of the machine; numbers are little-endian on all of them
        _, at = read_pickle(data, at, made)
    value, at = read_pickle(data, at, made, persistent)
    keys, at = read_pickle(data, at, made)
    tensors, skipped = found_tensors(value)
    if type(keys) is not list or any(type(key) is not str or key not in storages for key in keys):
        raise FileFormatError("the list of storages is damaged")
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        if at + 8 > size:
            raise FileFormatError(f"the file is cut short before storage {key[:50]}")
        (count,) = struct.unpack_from("<Q", data, at)
        places[key] = at + 8, at + 8 + count * storages[key].itemsize
        at = places[key][1]

    def content(storage: Storage) -> bytes:
        if storage.key not in places:
            raise FileFormatError(f"storage {storage.key[:50]} is missing")
        begin, end = places[storage.key]
        return data[begin:end]

    return _arrays(tensors, content, "<", size), skipped


def _arrays(tensors: Mapping[str, Any], content: Callable[[Storage], bytes], order: str, size: int) -> TorchArrays:
    """The arrays of tensors, with numbers; the bytes of each storage are read once."""
    total = sum(tensor.nbytes for tensor in tensors.values() if isinstance(tensor, TorchTensor))
    if total > most_bytes(size):
        raise FileFormatError(f"{size} bytes would become {total}; at most {most_bytes(size)} are read")
    read: dict[str, bytes] = {}
    arrays: TorchArrays = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, Unmade):
            arrays[name] = Unread(f"is a tensor of {tensor.name[:100]}")
        else:
            key = tensor.storage.key
            if key not in read:
                read[key] = content(tensor.storage)
            arrays[name] = tensor.numbers(read[key], order)
    return arrays
