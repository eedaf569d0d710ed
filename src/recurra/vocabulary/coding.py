"""The protocol of a level: texts to token numbers and back."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from recurra.errors import RunError

UNKNOWN = "<unk>"
LINE_END = "<eos>"

Ids = np.ndarray[Any, np.dtype[np.int64]]


MOST_KINDS = 1000  # kinds of unknown tokens that are told apart


class UnknownTokens:
    """The tokens of a text that are not in a vocabulary.

    Args:
        total: the number of those that were counted already. Default 0.
        kinds: the number of each kind of them. Default: none.
        most: the number of kinds that are told apart; later ones are only in the total. Default 1000.

    Attributes:
        total: the number of them.
        kinds: the number of each kind of them.
    """

    def __init__(self, total: int = 0, kinds: Mapping[str, int] | None = None, most: float = MOST_KINDS) -> None:
        self.total = total
        self.kinds = Counter(kinds or {})
        self._most = most

    def __bool__(self) -> bool:
        return self.total > 0

    def add(self, tokens: Iterable[str]) -> None:
        """Count tokens."""
        for token, count in Counter(tokens).items():
            self.total += count
            if token in self.kinds or len(self.kinds) < self._most:
                self.kinds[token] += count


class Decoder(Protocol):
    """Token numbers to text, one by one; the pieces together are the text of all tokens."""

    def write(self, number: int) -> str:
        """Take a token; return the text that is whole now, which may be empty.

        Raises:
            IndexError: there is no token of this number.
        """
        ...

    def finish(self) -> str:
        """Return what stands for bytes at the end that are no whole character."""
        ...


class Coding(Protocol):
    """The tokens of one level, and how a text is cut into them.

    Attributes:
        tokens: all tokens as texts, by number.
        start: the number of the token before a text's first one.
        unknown_number: the number of ``<unk>``; None where every text can be written.
    """

    tokens: tuple[str, ...]
    start: int
    unknown_number: int | None

    def encode(self, text: str, *, last: bool, unknown: UnknownTokens | None) -> tuple[Ids, str]:
        """Number the tokens at the beginning of a text.

        Args:
            text: the text, or the next part of one.
            last: whether nothing follows.
            unknown: counts the tokens that are not in the vocabulary, if given.

        Returns:
            The numbers, shape ``(N,)``, and the end of the text whose tokens depend on what follows: it is to be given
            again, before what follows. It is empty with `last`.
        """
        ...

    def decoder(self, before: str) -> Decoder:
        """Make a decoder of what follows the text `before`."""
        ...

    def token_text(self, number: int) -> str:
        """Show one token as text, alone."""
        ...


class Utf8Decoder:
    """The decoder of tokens that are bytes: it holds bytes back until they are a whole character.

    Bytes that are no UTF-8 become U+FFFD, as in ``bytes.decode("utf-8", "replace")``.

    Args:
        pieces: the bytes of each token.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, number: int) -> str:
        """Take a token; return the characters that are whole now."""
        return self._decode(self._pieces[checked(number, len(self._pieces))])

    def finish(self) -> str:
        """Return U+FFFD if an incomplete character is left; else nothing."""
        return self._decode(b"", True)


def checked(number: int, size: int) -> int:
    """Refuse a number that is no token's.

    Raises:
        IndexError: there is no token of this number.
    """
    if not 0 <= number < size:
        raise IndexError(f"tokens are 0 … {size - 1}; got {number}")
    return int(number)


def utf8(text: str) -> bytes:
    """The bytes of a text; a surrogate stands for a byte that was no UTF-8 (``surrogateescape``, PEP 383).

    Raises:
        RunError: the text has another surrogate, which is half of a character.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise RunError(f"the text has half of a character at position {error.start}") from None


def byte_count(text: str) -> int:
    """The number of bytes of a text in UTF-8; a surrogate that stands for a byte is one, and another one is three."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return len(text.encode("utf-8", "surrogatepass"))
