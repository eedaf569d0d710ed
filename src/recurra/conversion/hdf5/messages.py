"""The messages of an object's header: what a group or an array consists of."""

from __future__ import annotations

from typing import NamedTuple

from recurra.conversion.hdf5.content import Content
from recurra.errors import FileFormatError

DATASPACE, LINK_INFO, DATATYPE, LINK, LAYOUT, FILTERS, ATTRIBUTE, SYMBOL_TABLE = 1, 2, 3, 6, 8, 11, 12, 17
_CONTINUATION = 16
_SHARED = 2  # a flag: the message lies elsewhere
MAX_MESSAGES = 10_000  # of an object


class Message(NamedTuple):
    """A message of a header.

    Attributes:
        kind: its number in the format.
        at: the position of its content.
        size: the bytes of its content.
    """

    kind: int
    at: int
    size: int


class _Span(NamedTuple):
    begin: int
    end: int


def messages(content: Content, at: int) -> list[Message]:
    """The messages of the object whose header is at a position.

    Raises:
        FileFormatError: the header is damaged, or of a newer version.
    """
    content.step()
    if content.piece(at, 4) == b"OHDR":
        return _newer(content, at)
    version, _, _, _, size = content.numbers(at, "BBHII")
    if version != 1:
        raise FileFormatError(f"damaged: no object at {at}")
    found: list[Message] = []
    blocks = [_Span(at + 16, at + 16 + size)]
    while blocks:
        place, end = blocks.pop()
        while place + 8 <= end:
            kind, length, flags = content.numbers(place, "HHB")
            _note(content, found, blocks, Message(kind, place + 8, length), flags, end)
            place += 8 + length
    return found


def _newer(content: Content, at: int) -> list[Message]:
    """The messages of a header of version 2."""
    version, flags = content.numbers(at + 4, "BB")
    if version != 2:
        raise FileFormatError(f"an object of version {version}, which is not read")
    place = at + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    begin = place + width
    head = 6 if flags & 4 else 4
    found: list[Message] = []
    blocks = [_Span(begin, begin + content.number(place, "BHIQ"[flags & 3]))]
    while blocks:
        place, end = blocks.pop()
        if place != begin:
            content.expect(place, b"OCHK")
            place, end = place + 4, end - 4
        while place + head <= end:
            kind, length, own = content.numbers(place, "BHB")
            _note(content, found, blocks, Message(kind, place + head, length), own, end)
            place += head + length
    return found


def _note(content: Content, found: list[Message], blocks: list[_Span], message: Message, flags: int, end: int) -> None:
    content.step()
    if message.at + message.size > end:
        raise FileFormatError(f"damaged: a message at {message.at} is longer than its object")
    if message.kind == _CONTINUATION:
        begin, length = content.numbers(message.at, "QQ")
        blocks.append(_Span(begin, begin + length))
    elif flags & _SHARED and message.kind in (DATASPACE, DATATYPE, LAYOUT, FILTERS):
        found.append(Message(-message.kind, message.at, message.size))  # nothing looks for these
    else:
        found.append(message)
    if len(found) + len(blocks) > MAX_MESSAGES:
        raise FileFormatError(f"an object of more than {MAX_MESSAGES} messages")
