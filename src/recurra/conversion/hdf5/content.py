"""The bytes of a file, whose every access is checked, and the number of accesses that are left."""

from __future__ import annotations

import struct
from typing import Any

from recurra.conversion.archive import most_bytes
from recurra.errors import FileFormatError

NOWHERE = 2**64 - 1  # the address of what is not there
MAX_STEPS = 1_000_000  # messages, nodes and members; damaged files may lead in circles


class Content:
    """The bytes of a file.

    Args:
        data: the bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = MAX_STEPS
        self._unpacked = most_bytes(len(data))

    def step(self, count: int = 1) -> None:
        """Note that something was looked at.

        Raises:
            FileFormatError: too much was looked at.
        """
        self.left -= count
        if self.left < 0:
            raise FileFormatError(f"more than {MAX_STEPS} objects, or objects that contain each other")

    def unpack(self, count: int) -> None:
        """Note that an array of so many bytes is made from chunks.

        Raises:
            FileFormatError: the file's arrays would unpack to too much.
        """
        self._unpacked -= count
        if self._unpacked < 0:
            raise FileFormatError(f"its arrays would unpack to more than {most_bytes(len(self.data))} bytes")

    def piece(self, at: int, count: int) -> bytes:
        """The bytes at a position.

        Raises:
            FileFormatError: they lie outside of the file.
        """
        if at + count > len(self.data):
            raise FileFormatError(f"the file is cut short or damaged: {count} bytes at {at} of {len(self.data)}")
        return self.data[at : at + count]

    def numbers(self, at: int, layout: str) -> tuple[Any, ...]:
        """The little-endian numbers at a position, in a layout of ``struct``."""
        return struct.unpack(f"<{layout}", self.piece(at, struct.calcsize(f"<{layout}")))

    def number(self, at: int, layout: str) -> int:
        """One whole number at a position."""
        return int(self.numbers(at, layout)[0])

    def expect(self, at: int, signature: bytes) -> None:
        """Refuse a position at which something else begins.

        Raises:
            FileFormatError: there is another signature.
        """
        self.step()
        if self.piece(at, len(signature)) != signature:
            raise FileFormatError(f"damaged: no {signature.decode()} at {at}")

    def text(self, at: int, most: int) -> str:
        """The text at a position that ends with a zero.

        Raises:
            FileFormatError: it has no end, or is no UTF-8.
        """
        end = self.data.find(b"\0", at, at + most + 1)
        if end < 0:
            raise FileFormatError(f"a name at {at} without end, or of more than {most} bytes")
        return decoded(self.piece(at, end - at))


def decoded(text: bytes) -> str:
    """A text of UTF-8 up to its first zero.

    Raises:
        FileFormatError: it is none.
    """
    try:
        return text.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError:
        raise FileFormatError("a name or text that is no UTF-8") from None
