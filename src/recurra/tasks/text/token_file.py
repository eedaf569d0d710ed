"""Token files: a text to train on and one to validate on as tokens, with their vocabulary, read without loading them.

To the byte: 15 bytes that no text begins with and the version, a byte; the tokens to train on, then those to validate
on, little-endian numbers of 1, 2 or 4 bytes; a description in JSON; its SHA-256, 32 bytes; its length, 8 bytes,
little-endian; and the first 16 bytes again, so that a file that was cut short is recognised.
"""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import FileFormatError, RunError
from recurra.files import write_atomically
from recurra.model import vocabulary as vocabularies
from recurra.model.content import fields
from recurra.tasks.text.encoded import EncodedText, Encoder, Tokens, dtype_of
from recurra.vocabulary import UnknownTokens, Vocabulary
from recurra.vocabulary.coding import MOST_KINDS

MARK = b"\xffrecurra tokens"  # 0xff is never a byte of UTF-8
VERSION = 1
MAX_DESCRIPTION = 2**24  # bytes; the words of a vocabulary take most of them
BLOCK = 2**20  # bytes that are read at once for the digest
_HEAD = MARK + bytes([VERSION])
_TAIL = 32 + 8 + len(_HEAD)  # bytes after the description
_COUNTS = ("tokens", "characters", "bytes")


class _OpenFile:
    """A file that is open for reading until the object goes.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.size = os.fstat(self._descriptor).st_size
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, position: int, count: int) -> bytes:
        """Read bytes at a position; fewer at the file's end."""
        os.lseek(self._descriptor, position, os.SEEK_SET)
        return os.read(self._descriptor, count)


class TokensOnDisk:
    """A part of a token file, of which slices are read when they are asked for.

    Reads are plain reads at a position, so that no page of the file counts as memory of the process. They move the
    file's position: an object is for one thread, and not for processes that were forked from the one that made it.

    Args:
        file: the file.
        first: the position of the first token, in bytes.
        count: the number of tokens.
        vocabulary: the vocabulary, whose size bounds the tokens and gives their dtype.
    """

    def __init__(self, file: _OpenFile, first: int, count: int, vocabulary: Vocabulary) -> None:
        self._file, self._first, self._count = file, first, count
        self._size, self._dtype = len(vocabulary), dtype_of(vocabulary)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice, /) -> Tokens:
        """Read the tokens ``begin:end``.

        Raises:
            RunError: the file cannot be read, has become shorter, or has a number that is no token's.
        """
        begin, end, _ = part.indices(self._count)
        path, width = self._file.path, self._dtype.itemsize
        count = max(0, end - begin) * width
        try:
            found = self._file.read(self._first + begin * width, count)
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
        if len(found) != count:
            raise RunError(f"{path} has become shorter while it was read")
        tokens: Tokens = np.frombuffer(found, self._dtype)
        if len(tokens) and int(tokens.max()) >= self._size:
            raise RunError(f"{path} is damaged: token {int(tokens.max())} is not in its vocabulary")
        return tokens


def is_token_file(path: Path) -> bool:
    """Whether a file begins as token files do; False for what is no plain file, or cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK
    except OSError:
        return False


def write_token_file(path: Path, vocabulary: Vocabulary, train: Encoder, valid: Encoder) -> None:
    """Encode two texts into a token file, in bounded memory; the file is there whole or not at all.

    Raises:
        RunError: a text cannot be read or has no tokens, or the file cannot be written.
    """

    def pieces() -> Iterator[bytes | memoryview]:
        yield _HEAD
        for encoder in (train, valid):
            for block in encoder.blocks():
                yield block.data
        description = {
            "vocabulary": vocabularies.to_content(vocabulary),
            "train": _counts_of(train),
            "valid": _counts_of(valid),
        }
        text = json.dumps(description, ensure_ascii=False, separators=(",", ":")).encode()
        yield from (text, hashlib.sha256(text).digest(), len(text).to_bytes(8, "little"), _HEAD)

    try:
        write_atomically(path, pieces())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None


def _counts_of(encoder: Encoder) -> dict[str, Any]:
    unknown = {"total": encoder.unknown.total, "kinds": dict(encoder.unknown.kinds)}
    counts = {name: getattr(encoder, name) for name in _COUNTS}
    return {**counts, "digest": encoder.digest, "unknown": unknown}


def open_token_file(path: Path) -> tuple[EncodedText, EncodedText, Vocabulary]:
    """Open a token file: its text to train on, the one to validate on, and the vocabulary.

    The file is read once to check its digests, and stays open.

    Raises:
        RunError: the file cannot be read, is none of tokens, of another version, cut short or damaged.
    """
    try:
        file = _OpenFile(path)
        description, end = _description(file)
        vocabulary = vocabularies.from_content(description["vocabulary"])
        texts, first = [], len(_HEAD)
        for name in ("train", "valid"):
            counts = _checked(description[name], name)
            tokens = TokensOnDisk(file, first, counts["tokens"], vocabulary)
            first += len(tokens) * dtype_of(vocabulary).itemsize
            if counts["digest"] != _digest(tokens):
                raise FileFormatError("its tokens are not those that were written")
            unknown = UnknownTokens(**counts["unknown"])
            texts.append(EncodedText(tokens, counts["characters"], counts["bytes"], counts["digest"], unknown))
        if first != end:
            raise FileFormatError(f"its tokens take {end - len(_HEAD)} bytes; described are {first - len(_HEAD)}")
        return texts[0], texts[1], vocabulary
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such file") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
    except FileFormatError as error:
        raise RunError(f"{path} is damaged: {error}") from None


def _description(file: _OpenFile) -> tuple[dict[str, Any], int]:
    """The description at the file's end, and the position where the tokens end."""
    path, head = file.path, file.read(0, len(_HEAD))
    if head[: len(MARK)] != MARK:
        raise RunError(f"{path} is no token file of 'recurra text tokenize'")
    if len(head) == len(_HEAD) and head != _HEAD:
        raise RunError(f"{path} is a token file of version {head[-1]}; this recurra reads version {VERSION}")
    last = file.size - _TAIL
    if last < len(_HEAD) or file.read(file.size - len(_HEAD), len(_HEAD)) != _HEAD:
        raise FileFormatError("it was cut short")
    digest, length = file.read(last, 32), int.from_bytes(file.read(last + 32, 8), "little")
    if length > min(MAX_DESCRIPTION, last - len(_HEAD)):
        raise FileFormatError(f"its description has {length} bytes, which is too many")
    text = file.read(last - length, length)
    if hashlib.sha256(text).digest() != digest:
        raise FileFormatError("its description is not the one that was written")
    try:
        description = json.loads(text.decode())
    except (ValueError, RecursionError):
        raise FileFormatError("its description is no JSON in UTF-8") from None
    return fields(description, "its description", ("vocabulary", "train", "valid")), last - length


def _checked(content: Any, name: str) -> dict[str, Any]:
    """The counts of a text, checked.

    Raises:
        FileFormatError: one is missing, not known, or of the wrong type.
    """
    counts = fields(content, f"{name!r}", (*_COUNTS, "digest", "unknown"))
    unknown = fields(counts["unknown"], f"'unknown' of {name!r}", ("total", "kinds"))
    if not isinstance(unknown["kinds"], dict) or len(unknown["kinds"]) > MOST_KINDS:
        raise FileFormatError(f"the kinds of {name!r} must be an object of at most {MOST_KINDS} numbers")
    numbers = [*(counts[each] for each in _COUNTS), unknown["total"], *unknown["kinds"].values()]
    if any(type(number) is not int or not 0 <= number < 2**62 for number in numbers):
        raise FileFormatError(f"{name!r} must hold whole numbers")
    if not all(counts[each] for each in _COUNTS):
        raise FileFormatError(f"{name!r} must hold tokens")
    if not isinstance(counts["digest"], str):
        raise FileFormatError(f"the digest of {name!r} must be a text")
    return counts


def _digest(tokens: TokensOnDisk) -> str:
    found = hashlib.sha256()
    for begin in range(0, len(tokens), BLOCK):
        found.update(tokens[begin : begin + BLOCK].data)
    return found.hexdigest()
