"""Texts as tokens, with what is counted in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recurra.tasks.text.reading import TextSource
from recurra.vocabulary import UnknownTokens, Vocabulary, byte_count, encode_stream

Tokens = np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]


class TokenSource(Protocol):
    """The tokens of a text, of which any part can be read: an array, or a file of tokens."""

    def __len__(self) -> int:
        """The number of tokens."""
        ...

    def __getitem__(self, part: slice, /) -> np.ndarray[Any, Any]:
        """Read the tokens ``begin:end``, shape ``(end − begin,)``, whole numbers of any dtype."""
        ...


@dataclass(frozen=True)
class EncodedText:
    """A text as tokens.

    Attributes:
        tokens: the tokens; any part of them can be read.
        characters: the number of characters of the text.
        bytes: the number of bytes of the text in UTF-8.
        digest: the SHA-256 of the tokens in hexadecimal digits: texts with the same one are the same for a model.
        unknown: the tokens that are not in the vocabulary, and are read as ``<unk>``.
    """

    tokens: TokenSource
    characters: int
    bytes: int
    digest: str
    unknown: UnknownTokens = field(default_factory=UnknownTokens)


class Encoder:
    """One pass over a text, which gives its tokens block by block, and counts.

    Args:
        source: the text.
        vocabulary: the tokens.

    Attributes:
        tokens, characters, bytes: the numbers of them so far.
        unknown: the tokens so far that are not in the vocabulary.
    """

    def __init__(self, source: TextSource, vocabulary: Vocabulary) -> None:
        self._source, self._vocabulary = source, vocabulary
        self.dtype = dtype_of(vocabulary)
        self.tokens = self.characters = self.bytes = 0
        self.unknown = UnknownTokens()
        self._hash = hashlib.sha256()

    def blocks(self) -> Iterator[Tokens]:
        """Iterate once over the tokens, in the dtype of :func:`dtype_of`.

        Raises:
            RunError: the text cannot be read, or not be encoded.
        """
        for numbers in encode_stream(self._vocabulary, self._counted(), self.unknown):
            block = numbers.astype(self.dtype)
            self.tokens += len(block)
            self._hash.update(block.data)
            yield block

    def _counted(self) -> Iterator[str]:
        for part in self._source.parts():
            self.characters += len(part)
            self.bytes += byte_count(part)
            yield part

    @property
    def digest(self) -> str:
        """The SHA-256 of the tokens so far."""
        return self._hash.hexdigest()

    def encoded(self, tokens: TokenSource) -> EncodedText:
        """The text, with its tokens and the counts of a finished pass."""
        return EncodedText(tokens, self.characters, self.bytes, self.digest, self.unknown)


def encode_source(source: TextSource, vocabulary: Vocabulary) -> EncodedText:
    """Encode a text into an array in memory.

    Raises:
        RunError: the text cannot be read, or not be encoded.
    """
    encoder = Encoder(source, vocabulary)
    blocks = [np.zeros(0, encoder.dtype), *encoder.blocks()]
    return encoder.encoded(np.concatenate(blocks))


def dtype_of(vocabulary: Vocabulary) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest dtype that holds all numbers of a vocabulary: little-endian, of 1, 2 or 4 bytes."""
    return np.dtype("u1" if len(vocabulary) <= 2**8 else "<u2" if len(vocabulary) <= 2**16 else "<u4")
