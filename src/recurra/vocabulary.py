"""Texts as token numbers: characters or words, and the vocabulary that numbers them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from recurra.errors import RunError

UNKNOWN = "<unk>"
LINE_END = "<eos>"

Ids = np.ndarray[Any, np.dtype[np.int64]]


def tokens_of(text: str, level: str) -> Sequence[str]:
    """Cut a text into its characters, or into the words between white space with ``<eos>`` after each line."""
    if level == "char":
        return text
    lines = text.removesuffix("\n").split("\n")
    return [token for line in lines for token in (*line.split(), LINE_END)]


class Vocabulary:
    """The tokens that a model knows, by number; number 0 is ``<unk>``, which stands for all others.

    Args:
        level: ``char`` or ``word``.
        tokens: all tokens, ``<unk>`` first, none twice: single characters, or words without white space, with
            ``<eos>`` among them.

    Raises:
        RunError: the tokens break one of these rules.
    """

    def __init__(self, level: str, tokens: Sequence[str]) -> None:
        self.level = level
        self.tokens = tuple(tokens)
        different = set(self.tokens)
        if not self.tokens or self.tokens[0] != UNKNOWN or len(different) != len(self.tokens):
            raise RunError(f"a vocabulary begins with {UNKNOWN} and has no token twice")
        if len(self.tokens) < 2:
            raise RunError("the vocabulary is empty: the text is too short, or --min-count too high")
        if level == "char" and set(map(len, self.tokens[1:])) != {1}:
            raise RunError("a vocabulary of characters has only single characters")
        if level == "word" and LINE_END not in different:
            raise RunError(f"a vocabulary of words has {LINE_END}")
        if level == "word" and len("".join(self.tokens).split()) != 1:
            raise RunError("a vocabulary of words has a word with white space in it")

    @cached_property
    def _number(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @classmethod
    def of(cls, text: str, level: str, least_count: int = 1) -> Vocabulary:
        """Collect a text's tokens that occur at least `least_count` times: most frequent first, then by code point."""
        counts = Counter(tokens_of(text, level))
        kept = [token for token, count in counts.items() if count >= least_count or token == LINE_END]
        return cls(level, [UNKNOWN, *sorted(set(kept) - {UNKNOWN}, key=lambda token: (-counts[token], token))])

    @classmethod
    def of_joined(cls, level: str, joined: str) -> Vocabulary:
        """Make the vocabulary whose ``joined`` is this text."""
        return cls(level, [UNKNOWN, *(joined if level == "char" else joined.split(" "))])

    @property
    def joined(self) -> str:
        """All tokens but ``<unk>``, as one text: characters one after the other, or words with a space between."""
        return ("" if self.level == "char" else " ").join(self.tokens[1:])

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def start(self) -> int:
        """The number of the token before a text's first one: the line end, or ``<unk>`` if the vocabulary has none."""
        return self._number.get("\n" if self.level == "char" else LINE_END, 0)

    def encode(self, text: str) -> Ids:
        """Number the tokens of a text, shape ``(N,)``; tokens that are not in the vocabulary are 0.

        Raises:
            TypeError: the argument is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"a text is needed, not {type(text).__name__}")
        if self.level == "word":
            return np.array([self._number.get(token, 0) for token in tokens_of(text, "word")], dtype=np.int64)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        distinct, places = np.unique(codes, return_inverse=True)
        numbers = [self._number.get(chr(code), 0) for code in distinct]
        return np.array(numbers, dtype=np.int64)[places.reshape(-1)]

    def prompt(self, text: str) -> Ids:
        """Number the tokens that a model reads to continue a text: the start, then the text with its last line open."""
        numbers = self.encode(text) if text else np.zeros(0, np.int64)
        if self.level == "word" and text and not text.endswith("\n"):
            numbers = numbers[:-1]
        return np.concatenate([[self.start], numbers])

    def unknown(self, text: str) -> Counter[str]:
        """Count the tokens of a text that are not in the vocabulary; a literal ``<unk>`` is in it."""
        counts = Counter(tokens_of(text, self.level))
        return Counter({token: count for token, count in counts.items() if token not in self._number})

    def write(self, number: int, at_line_start: bool) -> str:
        """Write a token as in running text: a word has a space before it, except at the start of a line.

        Raises:
            IndexError: there is no token of this number.
        """
        if not 0 <= number < len(self.tokens):
            raise IndexError(f"tokens are 0 … {len(self.tokens) - 1}; got {number}")
        token = self.tokens[number]
        if self.level == "char":
            return token
        if token == LINE_END:
            return "\n"
        return token if at_line_start else " " + token
