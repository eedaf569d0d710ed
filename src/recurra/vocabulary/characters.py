"""The level of characters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from recurra.errors import RunError
from recurra.vocabulary.coding import Ids, UnknownTokens, checked


class Characters:
    """Single characters; number 0 is ``<unk>``.

    Args:
        tokens: ``<unk>``, then single characters, none twice.

    Raises:
        RunError: a token is no single character.
    """

    unknown_number: int | None = 0

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        if set(map(len, self.tokens[1:])) != {1}:
            raise RunError("a vocabulary of characters has only single characters")
        self.start = self.tokens.index("\n") if "\n" in self.tokens else 0

    @cached_property
    def _numbers(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The number of each code point up to the largest known one, and a 0 for all above."""
        known = code_points("".join(self.tokens[1:]))
        numbers = np.zeros(int(known.max()) + 2, np.int32)
        numbers[known] = np.arange(1, len(self.tokens))
        return numbers

    def encode(self, text: str, *, last: bool, unknown: UnknownTokens | None) -> tuple[Ids, str]:
        """Number the characters of a text; nothing is left over."""
        codes = code_points(text)
        numbers = self._numbers[np.minimum(codes, len(self._numbers) - 1)].astype(np.int64)
        if unknown is not None:
            unknown.add(map(chr, codes[numbers == 0]))
        return numbers, ""

    def decoder(self, before: str) -> CharacterDecoder:
        """Make a decoder; the text before does not matter."""
        return CharacterDecoder(self.tokens)

    def token_text(self, number: int) -> str:
        """Show a character."""
        return self.tokens[number]


class CharacterDecoder:
    """The decoder of characters.

    Args:
        tokens: all characters.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens

    def write(self, number: int) -> str:
        """Take a token; return its character."""
        return self._tokens[checked(number, len(self._tokens))]

    def finish(self) -> str:
        """Return nothing, as every token is whole."""
        return ""


def code_points(text: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The code points of a text, shape ``(N,)``."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
