"""Texts that come in parts: the same tokens as of the whole text, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recurra.vocabulary.coding import Ids, UnknownTokens
from recurra.vocabulary.vocabulary import Vocabulary


def encode_stream(vocabulary: Vocabulary, parts: Iterable[str], unknown: UnknownTokens | None = None) -> Iterator[Ids]:
    """Number the tokens of a text that comes in parts.

    Args:
        vocabulary: the tokens.
        parts: the text, cut anywhere.
        unknown: counts the tokens that are not in the vocabulary, if given.

    Yields:
        Numbers, shape ``(N,)``; together they are ``vocabulary.encode`` of the whole text.

    Raises:
        RunError: as :meth:`Vocabulary.encode_part`.
    """
    rest = ""
    for part in parts:
        numbers, rest = vocabulary.encode_part(rest + part, last=False, unknown=unknown)
        yield numbers
    yield vocabulary.encode_part(rest, last=True, unknown=unknown)[0]
