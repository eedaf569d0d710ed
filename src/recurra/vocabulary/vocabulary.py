"""The vocabulary: the tokens of a level, and one interface for all levels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from recurra.errors import RunError
from recurra.vocabulary.byte_pairs import BytePairs
from recurra.vocabulary.characters import Characters
from recurra.vocabulary.coding import LINE_END, UNKNOWN, Coding, Decoder, Ids, UnknownTokens, checked
from recurra.vocabulary.raw_bytes import Bytes
from recurra.vocabulary.words import Words, tokens_of

LEVELS = ("byte", "char", "word", "bpe")


class Vocabulary:
    """The tokens that a model knows, by number.

    ``byte``: the 256 bytes of texts in UTF-8; any text can be written. ``char`` and ``word``: the tokens that are
    given; number 0 is ``<unk>``, which stands for all others. ``bpe``: bytes and joined pairs of them; any text can be
    written.

    Args:
        level: ``byte``, ``char``, ``word`` or ``bpe``.
        tokens: for characters and words all tokens, ``<unk>`` first, none twice: single characters, or words without
            white space, with ``<eos>`` among them. Else none.
        merges: for ``bpe`` the pairs of tokens that are joined, in the order in which they were learnt. Tokens 0 to 255
            are the bytes, and each merge makes the next one, unless it makes the bytes of a token again.

    Raises:
        RunError: the tokens or merges break one of these rules.
    """

    def __init__(self, level: str, tokens: Sequence[str] = (), merges: Sequence[tuple[int, int]] = ()) -> None:
        if level not in LEVELS:
            raise RunError(f"a vocabulary is one of {', '.join(LEVELS)}; got {level!r}")
        for name, given, levels in (("tokens", tokens, ("char", "word")), ("merges", merges, ("bpe",))):
            if given and level not in levels:
                raise RunError(f"a vocabulary of level {level} takes no {name}")
        self.level = level
        self.merges = tuple(merges)
        self._coding = self._coding_of(tokens)
        self.tokens = self._coding.tokens

    def _coding_of(self, tokens: Sequence[str]) -> Coding:
        if self.level == "byte":
            return Bytes()
        if self.level == "bpe":
            return BytePairs(self.merges)
        return Characters(_listed(tokens)) if self.level == "char" else Words(_listed(tokens))

    @classmethod
    def of(cls, text: str, level: str, least_count: int = 1, most: int | None = None) -> Vocabulary:
        """Collect a text's characters or words, as :meth:`counted`."""
        return cls.counted(level, Counter(tokens_of(text, level)), least_count, most)

    @classmethod
    def counted(cls, level: str, counts: Counter[str], least_count: int = 1, most: int | None = None) -> Vocabulary:
        """Collect the tokens that were counted at least `least_count` times: most frequent first, then by code point.

        Args:
            level: ``char`` or ``word``.
            counts: how often each token occurs.
            least_count: the number of times that a token must occur. Default 1.
            most: the number of tokens of the vocabulary, ``<unk>`` among them, beyond which the rarest are left out;
                None for all. Default None.

        Raises:
            RunError: no token is left.
        """
        always = {LINE_END} if level == "word" else set()
        kept = {token for token, count in counts.items() if count >= least_count} - {UNKNOWN} - always
        ordered = sorted(kept, key=lambda token: (-counts[token], token))
        if most is not None:
            ordered = ordered[: max(0, most - 1 - len(always))]
        ordered = sorted({*ordered, *always}, key=lambda token: (-counts[token], token))
        return cls(level, [UNKNOWN, *ordered])

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self.level, self.tokens, self.merges) == (other.level, other.tokens, other.merges)

    def __hash__(self) -> int:
        return hash((self.level, self.tokens, self.merges))

    @property
    def start(self) -> int:
        """The number of the token before a text's first one: the line end, or ``<unk>`` if the vocabulary has none."""
        return self._coding.start

    @property
    def unknown_number(self) -> int | None:
        """The number of ``<unk>``, 0; None for levels that can write any text."""
        return self._coding.unknown_number

    def encode(self, text: str) -> Ids:
        """Number the tokens of a text, shape ``(N,)``; tokens that are not in the vocabulary are ``<unk>``.

        An empty text has no tokens. In a text for bytes, a surrogate stands for a byte that is no UTF-8
        (``surrogateescape``).

        Raises:
            TypeError: the argument is no text.
            RunError: the text has half of a character, for the levels ``byte`` and ``bpe``.
        """
        if not isinstance(text, str):
            raise TypeError(f"a text is needed, not {type(text).__name__}")
        return self._coding.encode(text, last=True, unknown=None)[0]

    def encode_part(self, text: str, *, last: bool, unknown: UnknownTokens | None = None) -> tuple[Ids, str]:
        """Number the tokens at the beginning of a text that comes in parts.

        Args:
            text: the rest of the part before, and the next part.
            last: whether no part follows.
            unknown: counts the tokens that are not in the vocabulary, if given; a literal ``<unk>`` is in one of words.

        Returns:
            The numbers, shape ``(N,)``, and the rest: the end of the text, whose tokens depend on what follows.

        Raises:
            RunError: the text has half of a character, for the levels ``byte`` and ``bpe``; or a word of more than a
                million characters.
        """
        return self._coding.encode(text, last=last, unknown=unknown)

    def prompt(self, text: str) -> Ids:
        """Number the tokens that a model reads to continue a text: the start, then the text with its last line open."""
        numbers = self.encode(text)
        if self.level == "word" and text and not text.endswith("\n"):
            numbers = numbers[:-1]
        return np.concatenate([np.array([self.start]), numbers])

    def decoder(self, before: str = "") -> Decoder:
        """Make a decoder of token numbers, which gives text as soon as it is whole.

        Args:
            before: the text that the tokens follow: a word has a space before it, except at the start of a line or
                after white space. Default: the start of a line.
        """
        return self._coding.decoder(before)

    def decode(self, numbers: Sequence[int] | Ids) -> str:
        """Write tokens as a text; bytes that are no UTF-8 become U+FFFD.

        Raises:
            IndexError: a number is no token's.
        """
        decoder = self.decoder()
        return "".join(decoder.write(int(number)) for number in numbers) + decoder.finish()

    def write(self, number: int, at_line_start: bool) -> str:
        """Write a token as in running text: a word has a space before it, except at the start of a line.

        Raises:
            IndexError: there is no token of this number.
        """
        return self.decoder("" if at_line_start else ".").write(number)

    def token_text(self, number: int) -> str:
        r"""Show a token alone: a character, a word, ``<unk>`` or ``<eos>``, or bytes as text; a part of a character is
        shown as ``\xe9``.

        Raises:
            IndexError: there is no token of this number.
        """
        return self._coding.token_text(checked(number, len(self)))

    def unknown(self, text: str) -> Counter[str]:
        """Count the tokens of a text that are not in the vocabulary; a literal ``<unk>`` is in one of words."""
        unknown = UnknownTokens(most=math.inf)
        self._coding.encode(text, last=True, unknown=unknown)
        return unknown.kinds


def _listed(tokens: Sequence[str]) -> tuple[str, ...]:
    """The tokens of a vocabulary of characters or words.

    Raises:
        RunError: ``<unk>`` is not the first, a token occurs twice, or there is no other one.
    """
    if not tokens or tokens[0] != UNKNOWN or len(set(tokens)) != len(tokens):
        raise RunError(f"a vocabulary begins with {UNKNOWN} and has no token twice")
    if len(tokens) < 2:
        raise RunError("the vocabulary is empty: the text is too short, or --min-count too high")
    return tuple(tokens)
