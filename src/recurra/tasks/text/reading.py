"""Texts from files, part by part: reading and checking them, splitting a text in two."""

from __future__ import annotations

import codecs
import io
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

from recurra.errors import RunError
from recurra.tasks.text.encodings import DEFAULT, LONGEST_MARK, encoding_of, suggestion, title, wide_suggestion

VALID_FRACTION = 0.1
PART = 2**20  # bytes that are read at once, and characters of a part of a text in memory


class TextSource(Protocol):
    """A text that can be read part by part, again and again."""

    def parts(self) -> Iterator[str]:
        """Iterate over the text from its beginning, cut anywhere."""
        ...


class TextInMemory:
    """A text in memory.

    Args:
        text: the text.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def parts(self) -> Iterator[str]:
        """Iterate over the text, about a million characters at a time."""
        for begin in range(0, len(self._text), PART):
            yield self._text[begin : begin + PART]


class TextFiles:
    """Several files as one text, in this order; each begins on a new line.

    Args:
        paths: the files.
        level: the level of the tokens; for ``byte``, files are read as they are, as in :func:`parts_of_file`.
        encoding: the files' encoding. Default UTF-8, or UTF-16 by its byte order mark.
    """

    def __init__(self, paths: Sequence[Path], level: str, encoding: str = DEFAULT) -> None:
        self._paths, self._level, self._encoding = paths, level, encoding

    def parts(self) -> Iterator[str]:
        """Iterate over the text, about a million characters at a time.

        Raises:
            RunError: as :func:`read_text`, for the first file that is refused.
        """
        ended = True
        for path in self._paths:
            if not ended:
                yield "\n"
            for part in parts_of_file(path, self._level, self._encoding):
                yield part
                ended = part.endswith("\n")


class Excerpt:
    """A part of a text from one character to another.

    Args:
        source: the text.
        begin: the number of characters before it.
        end: the number of characters of the text up to its end; None for all.
    """

    def __init__(self, source: TextSource, begin: int, end: int | None = None) -> None:
        self._source, self._begin, self._end = source, begin, end

    def parts(self) -> Iterator[str]:
        """Iterate over it."""
        before = 0
        for part in self._source.parts():
            if self._end is not None and before >= self._end:
                return
            piece = part[max(0, self._begin - before) : None if self._end is None else self._end - before]
            before += len(part)
            if piece:
                yield piece


def parts_of_file(path: Path, level: str = "char", encoding: str = DEFAULT) -> Iterator[str]:
    """Read a text file, a million bytes at a time.

    Line ends of other systems become ``\\n``, and a byte order mark is removed. For the level ``byte`` the file may
    hold anything and is read as it is; a byte that is no UTF-8 becomes a surrogate (``surrogateescape``, PEP 383).

    Args:
        path: the file.
        level: the level of the tokens.
        encoding: its encoding, by Python's name. Default UTF-8, or UTF-16 where a byte order mark says so.

    Raises:
        RunError: the file is missing, a folder or a device, not readable, empty, or, except for ``byte``, binary (with
            a NUL byte), in another encoding or nothing but white space.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise RunError(f"{path} is a {'folder' if stat.S_ISDIR(mode) else 'device'}; a text file is needed")
        with path.open("rb") as file:
            blocks = iter(lambda: file.read(PART), b"")
            yield from _bytes_as_text(blocks, path) if level == "byte" else _decoded(blocks, path, encoding)
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such file") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None


def _bytes_as_text(blocks: Iterable[bytes], path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    empty = True
    for block in chain(blocks, [b""]):
        part = decoder.decode(block, not block)
        empty = empty and not part
        if part:
            yield part
    if empty:
        raise RunError(f"{path} is empty")


def _decoded(blocks: Iterator[bytes], path: Path, given: str) -> Iterator[str]:
    first = next(blocks, b"")
    while len(first) < LONGEST_MARK and (more := next(blocks, b"")):
        first += more
    encoding = encoding_of(given, first)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    read, empty, blank = 0, True, True
    for block in chain([first] if first else [], blocks, [b""]):
        if encoding == "utf-8-sig" and b"\0" in block:
            place = read + block.index(0)
            raise RunError(f"{path} is not text: it has a NUL byte at position {place}{wide_suggestion(block)}")
        read += len(block)
        try:
            part = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            # The decoder's own bytes end where the file was read to.
            place = read - len(error.object) + error.start
            fault = f"{path} is not {title(encoding)} text: byte 0x{error.object[error.start]:02x} at {place}"
            raise RunError(fault + suggestion(error.object, error.start)) from None
        if "\0" in part:
            raise RunError(f"{path} is not {title(encoding)} text: it has a NUL character")
        empty, blank = empty and not part, blank and (not part or part.isspace())
        if part:
            yield part
    if blank:
        raise RunError(f"{path} is empty" if empty else f"{path} holds nothing but white space")


def with_line_ends(text: str, level: str) -> str:
    """A text with line ends as files have them when they were read; for the level ``byte`` as it is."""
    return text if level == "byte" else text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: Path, level: str = "char", encoding: str = DEFAULT) -> str:
    """Read a whole file, as :func:`parts_of_file`.

    Raises:
        RunError: as :func:`parts_of_file`.
    """
    return "".join(parts_of_file(path, level, encoding))


def read_texts(paths: Sequence[Path], level: str = "char", encoding: str = DEFAULT) -> str:
    """Read several files as one text, in this order; each begins on a new line.

    Raises:
        RunError: as :func:`read_text`, for the first file that is refused.
    """
    return "".join(TextFiles(paths, level, encoding).parts())


def split_text(text: str, fraction: float = VALID_FRACTION) -> tuple[str, str]:
    """Cut off the last `fraction` for validation: at a line end if one is near, else at a space, else exactly there.

    Returns:
        The part to train on and the part to validate on; together they are the text.
    """
    cut = place_to_split(TextInMemory(text), len(text), fraction)
    return text[:cut], text[cut:]


def place_to_split(source: TextSource, characters: int, fraction: float = VALID_FRACTION) -> int:
    """The number of characters before the place at which :func:`split_text` cuts.

    Args:
        source: the text.
        characters: the number of its characters.
        fraction: the share of the last part.
    """
    cut = characters - max(1, round(characters * fraction))
    near = cut + (characters - cut) // 2
    space, before = None, cut
    for part in Excerpt(source, cut, near).parts():
        place = part.find("\n")
        if place >= 0:
            return before + place + 1
        place = part.find(" ")
        if space is None and place >= 0:
            space = before + place + 1
        before += len(part)
    return cut if space is None else space
