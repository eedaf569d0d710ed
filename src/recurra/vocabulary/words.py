"""The level of words: what stands between white space, and ``<eos>`` at the end of each line."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from recurra.errors import RunError
from recurra.vocabulary.coding import LINE_END, Ids, UnknownTokens, checked

LONGEST_WORD = 1_000_000  # characters; what has so many without white space is no text of words
_LAST_SPACE = re.compile(r"\s\S*\Z")


def tokens_of(text: str, level: str) -> Sequence[str]:
    """Cut a text into its characters, or into the words between white space with ``<eos>`` after each line."""
    if level == "char":
        return text
    lines = text.removesuffix("\n").split("\n")
    return [token for line in lines for token in (*line.split(), LINE_END)]


def cut(text: str, *, last: bool) -> tuple[Sequence[str], str]:
    """Cut the beginning of a text into words and line ends, as :func:`tokens_of`.

    Args:
        text: the text, or the next part of one.
        last: whether nothing follows.

    Returns:
        The tokens, and the rest: the last line, or of a very long line the last word. It is empty with `last`.

    Raises:
        RunError: a word has more than a million characters.
    """
    if last:
        return tokens_of(text, "word") if text else (), ""
    end = text.rfind("\n") + 1
    if end:
        return tokens_of(text[:end], "word"), text[end:]
    if len(text) <= LONGEST_WORD:
        return (), text
    # A line longer than this is cut at a space; the line goes on, even if no word follows.
    found = _LAST_SPACE.search(text, len(text) - LONGEST_WORD)
    if found is None:
        raise RunError(f"a word has more than {LONGEST_WORD:,} characters: this is no text of words")
    return text[: found.start()].split(), text[found.start() :]


class Words:
    """Words; number 0 is ``<unk>``, and ``<eos>`` is among them.

    Args:
        tokens: ``<unk>``, then words without white space, none twice.

    Raises:
        RunError: ``<eos>`` is missing, or a word has white space in it.
    """

    unknown_number: int | None = 0

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self._number = {token: number for number, token in enumerate(self.tokens)}
        if LINE_END not in self._number:
            raise RunError(f"a vocabulary of words has {LINE_END}")
        if "" in self._number or len("".join(self.tokens).split()) != 1:
            raise RunError("a vocabulary of words has a word with white space in it")
        self.start = self._number[LINE_END]

    def encode(self, text: str, *, last: bool, unknown: UnknownTokens | None) -> tuple[Ids, str]:
        """Number the words of the whole lines of a text, and return its last line; with `last`, that of all lines."""
        tokens, rest = cut(text, last=last)
        if unknown is not None:
            unknown.add(token for token in tokens if token not in self._number)
        number = self._number.get
        return np.fromiter((number(token, 0) for token in tokens), np.int64, len(tokens)), rest

    def decoder(self, before: str) -> WordDecoder:
        """Make a decoder of what follows the text `before`."""
        return WordDecoder(self.tokens, before)

    def token_text(self, number: int) -> str:
        """Show a word."""
        return self.tokens[number]


class WordDecoder:
    """The decoder of words: it writes a space before each word, except at the start of a line or after white space.

    Args:
        tokens: all words.
        before: the text that the words follow.
    """

    def __init__(self, tokens: Sequence[str], before: str) -> None:
        self._tokens = tokens
        self._at_start = not before or before[-1].isspace()

    def write(self, number: int) -> str:
        """Take a token; return its text, with the space before it."""
        token, at_start = self._tokens[checked(number, len(self._tokens))], self._at_start
        self._at_start = token == LINE_END
        if self._at_start:
            return "\n"
        return token if at_start else " " + token

    def finish(self) -> str:
        """Return nothing, as every word is whole."""
        return ""
