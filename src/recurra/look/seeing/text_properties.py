"""Properties of the places in a text: inside quotes, position in the line, indentation and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recurra.look.seeing.properties import NUMBER, YES_NO, Property

_MEANINGS = {
    "quotes": "inside quotes",
    "brackets": "inside brackets",
    "comment": "inside a comment",
    "position": "position in the line",
    "indentation": "indentation of the line",
    "letter": "a letter",
    "digit": "a digit",
    "upper": "an upper-case letter",
    "space": "white space",
    "word-start": "the first character of a word",
}
TEXT_PROPERTIES = tuple(_MEANINGS)
_CLOSING = {'"': '"', "“": "”", "«": "»", "„": "“"}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


def text_properties(text: str | Sequence[str]) -> list[Property]:
    """The properties of every place in a text; a token has those after its last character.

    A mark that opens quotes, brackets or a comment is inside, one that closes them outside: so the property is what a
    model can know once it has read the token. Quotes are those of ``"``, ``'`` at the edge of a word, and typographic
    ones; a line ends single quotes, and an empty line all. Comments begin with ``#`` or ``//`` after white space and
    end with the line, or stand between ``/*`` and ``*/``.

    Args:
        text: the text, of which each character is a step; or its tokens, which joined are the text.

    Returns:
        Properties of the names ``quotes``, ``brackets``, ``comment``, ``position``, ``indentation``, ``letter``,
        ``digit``, ``upper``, ``space`` and ``word-start``.
    """
    tokens = list(text)
    joined = "".join(tokens)
    ends = np.cumsum([len(token) for token in tokens]) - 1
    columns = {name: np.zeros(len(joined) + 1) for name in _MEANINGS}  # the last place stands for "before the text"
    reader = _TextReader(joined)
    for place in range(len(joined)):
        for name, value in reader.read(place).items():
            columns[name][place] = value
    found = []
    for name, meaning in _MEANINGS.items():
        values = columns[name][ends]
        is_number = name in ("position", "indentation")
        kind = NUMBER if is_number else YES_NO
        found.append(Property(name, kind, values if is_number else values > 0, meaning))
    return found


@dataclass
class _TextReader:
    """The state of a reader that goes through a text once."""

    text: str
    quote: str = ""  # the mark that ends it
    comment: str = ""  # the text that ends it
    brackets: list[str] = field(default_factory=list)
    column: int = 0
    indentation: int = 0
    is_leading: bool = True

    def read(self, place: int) -> dict[str, float]:
        """What holds after the character at a place."""
        here, before, after = self._around(place)
        self._structure(here, before, after, place)
        if before == "\n":
            self.column, self.indentation, self.is_leading = 0, 0, True
        elif place:
            self.column += 1
        self.is_leading &= here in " \t"
        self.indentation += self.is_leading
        is_word = here.isalnum()
        return {
            "quotes": bool(self.quote),
            "brackets": bool(self.brackets),
            "comment": bool(self.comment),
            "position": self.column,
            "indentation": self.indentation,
            "letter": here.isalpha(),
            "digit": here.isdigit(),
            "upper": here.isupper(),
            "space": here.isspace(),
            "word-start": is_word and not before.isalnum(),
        }

    def _around(self, place: int) -> tuple[str, str, str]:
        before = self.text[place - 1] if place else "\n"
        return self.text[place], before, self.text[place + 1] if place + 1 < len(self.text) else "\n"

    def _structure(self, here: str, before: str, after: str, place: int) -> None:
        """Open and close quotes, comments and brackets."""
        if here == "\n":
            self._end_line(before)
        elif self.comment:
            if self.comment == "*/" and before == "*" and here == "/":
                self.comment = ""
        elif self.quote:
            self._in_quote(here, before, after, place)
        elif (here == "#" and before.isspace()) or (here == "/" and before == "/" and self._is_space(place - 2)):
            self.comment = "\n"
        elif here == "*" and before == "/":
            self.comment = "*/"
        elif here in _CLOSING:
            self.quote = _CLOSING[here]
        elif here in "'‘" and not before.isalnum() and not after.isspace():
            self.quote = "'" if here == "'" else "’"
        elif here in _BRACKETS:
            self.brackets.append(_BRACKETS[here])
        elif self.brackets and here == self.brackets[-1]:
            self.brackets.pop()

    def _in_quote(self, here: str, before: str, after: str, place: int) -> None:
        is_escaped = before == "\\" and self._at(place - 2) != "\\"
        is_apostrophe = here in "'’" and before.isalnum() and after.isalnum()
        if here == self.quote and not is_escaped and not is_apostrophe:
            self.quote = ""

    def _end_line(self, before: str) -> None:
        if self.comment == "\n":
            self.comment = ""
        if before == "\n":
            self.quote, self.brackets = "", []
        elif self.quote == "'":
            self.quote = ""

    def _at(self, place: int) -> str:
        return self.text[place] if place >= 0 else "\n"

    def _is_space(self, place: int) -> bool:
        return self._at(place).isspace()
