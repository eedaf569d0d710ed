"""Conversion of a stream's states to bytes, and back."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array

_MAGIC = b"recurra-state-1\n"


def pack(states: Sequence[Array]) -> bytes:
    """Arrays as bytes: their dtypes and shapes, their numbers, and a checksum."""
    head = [struct.pack("<I", len(states))]
    for state in states:
        head.append(struct.pack("<BB", state.itemsize, state.ndim) + struct.pack(f"<{state.ndim}q", *state.shape))
    body = b"".join([_MAGIC, *head, *(state.astype(state.dtype.newbyteorder("<"), "C").tobytes() for state in states)])
    return body + struct.pack("<I", zlib.crc32(body))


def unpack(snapshot: bytes, like: Sequence[Array]) -> list[Array]:
    """The arrays of a snapshot, which must have the dtypes and shapes of ``like``.

    Raises:
        RecurraError: their dtypes or shapes differ, or the bytes are damaged.
    """
    if not isinstance(snapshot, (bytes, bytearray, memoryview)):
        raise RecurraError(f"a snapshot is bytes, not {type(snapshot).__name__}")
    content = bytes(snapshot)
    if not content.startswith(_MAGIC):
        raise RecurraError("these bytes are no snapshot of a stream")
    if len(content) < len(_MAGIC) + 4 or struct.unpack("<I", content[-4:])[0] != zlib.crc32(content[:-4]):
        raise RecurraError("the snapshot is damaged: its checksum does not fit")
    expected = pack(like)
    size = len(expected) - 4 - sum(state.nbytes for state in like)
    if len(content) != len(expected) or content[:size] != expected[:size]:
        shapes = ", ".join(f"{state.dtype} {state.shape}" for state in like)
        raise RecurraError(f"the snapshot is of another model or batch: this stream's states are {shapes}")
    arrays = []
    for state in like:
        data = np.frombuffer(content, state.dtype.newbyteorder("<"), state.size, size)
        arrays.append(data.astype(state.dtype).reshape(state.shape))
        size += state.nbytes
    return arrays
