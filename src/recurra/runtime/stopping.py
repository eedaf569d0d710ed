"""Stop texts: the end of a text that is written piece by piece."""

from __future__ import annotations

from collections.abc import Sequence


class StopTexts:
    """A filter of a text's pieces that ends before the first stop text, however the pieces cut it.

    The stop text whose last character comes first counts; among several, the one that begins first.

    Args:
        texts: the stop texts; none is empty.

    Attributes:
        found: whether a stop text has come.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._held = ""  # the longest end of the text that may be the beginning of a stop text
        self.found = False

    def add(self, piece: str) -> str:
        """Add a piece, and return the text that surely comes before any stop text; nothing may follow the first."""
        if not self._texts:
            return piece
        text = self._held + piece
        places = ((text.find(stop), stop) for stop in self._texts)
        ends = [(begin + len(stop), begin) for begin, stop in places if begin >= 0]
        self.found = bool(ends)
        cut = min(ends)[1] if ends else len(text) - self._overlap(text)
        self._held = "" if ends else text[cut:]
        return text[:cut]

    def rest(self) -> str:
        """The text that was held back, when no more will come."""
        held, self._held = self._held, ""
        return held

    def _overlap(self, text: str) -> int:
        """The length of the longest end of a text that is a proper beginning of a stop text."""
        longest = min(len(text), max(map(len, self._texts)) - 1)
        return next(
            (size for size in range(longest, 0, -1) if any(stop.startswith(text[-size:]) for stop in self._texts)), 0
        )
