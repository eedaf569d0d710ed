"""The members of groups, and the whole tree of a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

from recurra.conversion.hdf5.content import NOWHERE, Content, decoded
from recurra.conversion.hdf5.messages import DATATYPE, LAYOUT, LINK, LINK_INFO, SYMBOL_TABLE, Message, messages
from recurra.conversion.hdf5.values import Array, array_of, texts_of
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_DEPTH = 50
MAX_NAME = 500  # bytes of the name of a member
_SOFT = 2  # a symbol that is the name of another

Member = Union["Hdf5Group", Array, Unread]


@dataclass(eq=False)
class Hdf5Group:
    """A group of a file.

    Attributes:
        texts: its attributes that are texts, by name.
        members: the groups and arrays in it, by name.
    """

    texts: dict[str, str]
    members: dict[str, Member] = field(default_factory=dict)

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Array | Unread, Hdf5Group]]:
        """All arrays inside, with the names on the way to each, and the group that it is in."""
        for name, member in self.members.items():
            if isinstance(member, Hdf5Group):
                yield from member.walk((*path, name))
            else:
                yield (*path, name), member, self


def read_hdf5(data: bytes) -> Hdf5Group:
    """Read the groups, arrays and texts of a file's bytes.

    Raises:
        FileFormatError: the file is damaged, exceeds a cap, or has a form that is not read.
    """
    content = Content(data)
    if content.piece(0, 8) != SIGNATURE:
        raise FileFormatError("no HDF5 file")
    version = content.number(8, "B")
    if version not in (0, 1, 2, 3):
        raise FileFormatError(f"an HDF5 file of version {version}, which is not read")
    sizes = content.numbers(13, "BB") if version < 2 else content.numbers(9, "BB")
    if sizes != (8, 8):
        raise FileFormatError("an HDF5 file whose positions do not have 8 bytes")
    end = content.number({0: 40, 1: 44}.get(version, 28), "Q")
    if end > len(data):
        raise FileFormatError(f"the file is cut short: {len(data)} of {end} bytes")
    root = content.number({0: 64, 1: 68}.get(version, 36), "Q")
    tree = _member(content, root, ())
    if not isinstance(tree, Hdf5Group):
        raise FileFormatError("damaged: the root is no group")
    return tree


def _member(content: Content, at: int, above: tuple[int, ...]) -> Member:
    own = messages(content, at)
    texts = texts_of(content, own)
    kinds = {abs(message.kind) for message in own}
    if LAYOUT in kinds:
        return array_of(content, own, texts)
    if DATATYPE in kinds:
        return Unread("is a datatype")
    if at in above or len(above) > MAX_DEPTH:
        raise FileFormatError("damaged: a group that contains itself")
    group = Hdf5Group(texts)
    for name, place in _links(content, own):
        content.step()
        if name in group.members:
            raise FileFormatError(f"damaged: two members are named {name[:100]}")
        group.members[name] = _member(content, place, (*above, at))
    return group


def _links(content: Content, own: list[Message]) -> Iterator[tuple[str, int]]:
    """The names and positions of a group's members; links to names and to other files are left out."""
    for message in own:
        if message.kind == SYMBOL_TABLE:
            tree, heap = content.numbers(message.at, "QQ")
            content.expect(heap, b"HEAP")
            yield from _symbols(content, tree, content.number(heap + 24, "Q"), 0)
        elif message.kind == LINK:
            yield from _link(content, message.at)
        elif message.kind == LINK_INFO:
            flags = content.number(message.at + 1, "B")
            if content.number(message.at + (10 if flags & 1 else 2), "Q") != NOWHERE:
                raise FileFormatError(
                    "a group of many members in the form of libver='latest': write the file with h5py's defaults"
                )


def _symbols(content: Content, at: int, names: int, depth: int) -> Iterator[tuple[str, int]]:
    """The names and positions in a tree of symbols."""
    if depth > MAX_DEPTH:
        raise FileFormatError("damaged: a tree that contains itself")
    if content.piece(at, 4) == b"SNOD":
        for number in range(content.number(at + 6, "H")):
            content.step()
            name, place, kind = content.numbers(at + 8 + 40 * number, "QQI")
            if kind != _SOFT:
                yield content.text(names + name, MAX_NAME), place
        return
    content.expect(at, b"TREE")
    kind, _, used = content.numbers(at + 4, "BBH")
    if kind != 0:
        raise FileFormatError("damaged: a tree of something else than symbols")
    for number in range(used):
        yield from _symbols(content, content.number(at + 32 + 16 * number, "Q"), names, depth + 1)


def _link(content: Content, at: int) -> Iterator[tuple[str, int]]:
    version, flags = content.numbers(at, "BB")
    if version != 1:
        raise FileFormatError(f"a link of version {version}, which is not read")
    at += 2
    kind = content.number(at, "B") if flags & 8 else 0
    at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    length = content.number(at, "BHIQ"[flags & 3])
    at += 1 << (flags & 3)
    if length > MAX_NAME:
        raise FileFormatError(f"a name of {length} bytes; at most {MAX_NAME} are read")
    if kind == 0:
        yield decoded(content.piece(at, length)), content.number(at + length, "Q")
