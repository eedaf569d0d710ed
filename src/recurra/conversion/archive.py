"""Zip archives of arrays, opened only if their members unpack to a bounded size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from recurra.errors import FileFormatError

MAX_MEMBERS = 100_000
# What a file holds may unpack to so many times the file's size, and so many bytes more, as zeros pack to a thousandth.
MAX_RATIO = 100
FREE_BYTES = 256 * 2**20
# The errors that zipfile and zlib raise besides ValueError.
_DAMAGE = (BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, OverflowError)


@contextmanager
def opened_archive(file: IO[bytes], size: int, kind: str) -> Iterator[ZipFile]:
    """Open an archive, and turn failures of reading it inside the block into a FileFormatError.

    Args:
        file: the file.
        size: its number of bytes.
        kind: the format that it should have, for messages.

    Raises:
        FileFormatError: the archive is damaged, packed in an unusual way, or would unpack to too much.
    """
    try:
        with ZipFile(file) as archive:
            _check(archive.infolist(), size)
            yield archive
    except _DAMAGE as error:
        raise FileFormatError(f"no {kind} file, or damaged: {error}") from None


def most_bytes(size: int) -> int:
    """The most bytes that the content of a file of this size may unpack to."""
    return FREE_BYTES + MAX_RATIO * size


def _check(members: list[ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    if len(names) > MAX_MEMBERS:
        raise FileFormatError(f"{len(names)} members; at most {MAX_MEMBERS} are read")
    if len(set(names)) < len(names):
        raise FileFormatError("two members have the same name")
    for member in members:
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or member.flag_bits & 1:
            raise FileFormatError(f"{member.filename[:100]} is encrypted, or packed in an unusual way")
    packed, unpacked = sum(member.compress_size for member in members), sum(member.file_size for member in members)
    if packed > size or unpacked > most_bytes(size):
        raise FileFormatError(f"{size} bytes would become {unpacked}; at most {most_bytes(size)} are read")


def whole(archive: ZipFile, name: str) -> bytes:
    """The content of a member.

    Raises:
        FileFormatError: it is cut short.
    """
    info = archive.getinfo(name)
    with archive.open(info) as file:
        content = file.read(info.file_size)
    if len(content) != info.file_size:
        raise FileFormatError(f"{name[:100]} is cut short")
    return content
