"""The level of byte pairs: pieces of text whose bytes are joined pair by pair (BPE; Sennrich et al. 2016).

A text is first cut into pieces, about a word each, and tokens never cross from one piece into the next. Every byte is a
token, so that every text can be written (Radford et al. 2019, section 2.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from recurra.errors import RunError
from recurra.vocabulary.coding import Ids, UnknownTokens, Utf8Decoder, utf8
from recurra.vocabulary.raw_bytes import ALPHABET

LONGEST_RUN = 40  # characters of a piece, without a space before them; bounds the time that a piece takes
LONGEST_PIECE = 4 * LONGEST_RUN + 1  # bytes
_LOOK_AHEAD = LONGEST_RUN + 3  # characters that decide about a piece, from its first one on
_REMEMBERED = 2**18  # pieces

# In the manner of GPT-2's, but with ranges in place of Unicode's categories: these change from one version to the next,
# and Python's `re` has none. The same text is a pattern of `re` and of tokenizers' `Split`. Letters are ASCII's, and
# all else from À on but two blocks of punctuation.
_SPACE = "\t\n\x0b\x0c\r "
_LETTER = "A-Za-zÀ-\u1fff\u2070-\u2fff\u3040-\U0010ffff"
_UP_TO = f"{{1,{LONGEST_RUN}}}"
PATTERN = "|".join(
    (
        "'(?:[sdmt]|ll|ve|re)",
        f" ?[{_LETTER}]{_UP_TO}",
        f" ?[0-9]{_UP_TO}",
        f" ?[^{_SPACE}{_LETTER}0-9]{_UP_TO}",
        f"[{_SPACE}]{_UP_TO}(?![^{_SPACE}])",
        f"[{_SPACE}]{_UP_TO}",
    )
)
_PIECES = re.compile(PATTERN)


class BytePairs:
    """Bytes and joined pairs; every text can be written, and there is no ``<unk>``.

    Tokens 0 to 255 are the bytes. Each merge joins two tokens to a new one, which has the next number, unless its bytes
    are a token already. In a piece, the merge that was learnt first comes first, at the leftmost place.

    Args:
        merges: pairs of token numbers, in the order in which they were learnt.

    Raises:
        RunError: a merge occurs twice, joins a token that does not exist yet, or is longer than a piece.
    """

    start = ord("\n")
    unknown_number: int | None = None

    def __init__(self, merges: Sequence[tuple[int, int]]) -> None:
        self.merges = tuple(merges)
        self._pieces, self._joined = _join(self.merges)
        self.tokens = tuple("".join(map(ALPHABET.__getitem__, piece)) for piece in self._pieces)
        self._remembered: dict[str, bytes] = {}

    def encode(self, text: str, *, last: bool, unknown: UnknownTokens | None) -> tuple[Ids, str]:
        """Number the tokens of all pieces that are whole, and return the rest of the text.

        Raises:
            RunError: the text has half of a character.
        """
        pieces = _PIECES.findall(text)
        rest = ""
        while pieces and not last and len(rest) < _LOOK_AHEAD:
            rest = pieces.pop() + rest
        found = self._remembered
        for piece in set(pieces).difference(found):
            found[piece] = self._numbers(piece)
        numbers = np.frombuffer(b"".join(map(found.__getitem__, pieces)), np.int32).astype(np.int64)
        if len(found) > _REMEMBERED:
            found.clear()
        return numbers, rest

    def _numbers(self, piece: str) -> bytes:
        """The tokens of a piece, as bytes of int32."""
        numbers = list(utf8(piece))
        never = (len(self.merges), 0)
        while len(numbers) > 1:
            ranked = [self._joined.get(pair, never) for pair in pairwise(numbers)]
            best = min(ranked)
            if best is never:
                break
            place = ranked.index(best)
            numbers[place : place + 2] = [best[1]]
        return np.array(numbers, np.int32).tobytes()

    def decoder(self, before: str) -> Utf8Decoder:
        """Make a decoder; the text before does not matter."""
        return Utf8Decoder(self._pieces)

    def token_text(self, number: int) -> str:
        r"""Show a token as text; bytes that are no character alone are shown as ``\xe9``."""
        return self._pieces[number].decode("utf-8", "backslashreplace")


def _join(merges: Sequence[tuple[int, int]]) -> tuple[list[bytes], dict[tuple[int, int], tuple[int, int]]]:
    """The bytes of all tokens, and for each pair its rank and the token that it makes.

    Raises:
        RunError: as :class:`BytePairs`.
    """
    if len(set(merges)) < len(merges):
        raise RunError("a merge occurs twice")
    pieces = [bytes([byte]) for byte in range(256)]
    number_of = {piece: number for number, piece in enumerate(pieces)}
    joined: dict[tuple[int, int], tuple[int, int]] = {}
    for rank, (left, right) in enumerate(merges):
        if not (0 <= left < len(pieces) and 0 <= right < len(pieces)):
            raise RunError(f"merge {rank} joins a token that does not exist yet")
        piece = pieces[left] + pieces[right]
        if len(piece) > LONGEST_PIECE:
            raise RunError(f"merge {rank} makes a token of more than {LONGEST_PIECE} bytes")
        if number_of.setdefault(piece, len(pieces)) == len(pieces):
            pieces.append(piece)
        joined[left, right] = rank, number_of[piece]
    return pieces, joined
