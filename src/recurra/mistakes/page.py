"""The pages of mistakes, which lie as files beside this one: read, found by name, and as text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import RunError, one_line
from recurra.mistakes.names import NAMES

_PAGES = Path(__file__).with_name("pages")
_WIDTH = 96  # of prose in a terminal; code is indented by 4 and may be as long
_FENCED = re.compile(r"^```\w*\n(.*?)^```\n", re.M | re.S)


@dataclass(frozen=True)
class Mistake:
    """A mistake and its page.

    Attributes:
        name: its name in addresses, one of ``NAMES``.
        title: the mistake in a few words.
        summary: what it is, in a sentence or two.
        sections: pairs of a heading and a text in Markdown: what people write, what recurra and torch.nn answer, why,
            and what to write instead. Comments before blocks of code are for the tests.
    """

    name: str
    title: str
    summary: str
    sections: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        lines = [f"{self.title} ({self.name})", "", *_prose(self.summary)]
        for heading, text in self.sections:
            lines += [f"--- {heading} ---", "", *_terminal(text)]
        return "\n".join(lines).rstrip()


def mistake(name: str) -> Mistake:
    """The mistake of a name.

    Raises:
        RunError: there is none; the message names those that are close.
    """
    if name not in NAMES:
        raise RunError(
            f"there is no mistake {one_line(name, 60)!r}{_hint(name)} recurra explain --mistake list shows all"
        )
    text = (_PAGES / f"{name}.md").read_text(encoding="utf-8")
    head, *sections = re.split(r"^## ", text, flags=re.M)
    title, _, summary = head.removeprefix("# ").partition("\n")
    parted = (section.partition("\n") for section in sections)
    return Mistake(name, title, summary.strip(), tuple((heading, body.strip() + "\n") for heading, _, body in parted))


def listing() -> str:
    """All mistakes, a line each: the name, and the mistake in a few words."""
    width = max(map(len, NAMES))
    return "\n".join(f"{name:<{width}}  {mistake(name).title}" for name in NAMES)


def _hint(given: str) -> str:
    """The mistakes that may be meant by a name that none has, for a message."""
    import difflib  # late, as all programs import this module, and few fail

    name = given.lower().replace("_", "-").replace(" ", "-")
    words = [word for word in name.split("-") if len(word) > 1 and word not in ("of", "and", "the", "not", "for", "on")]
    close = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.6)
    close += [each for each in NAMES if any(word in each.split("-") for word in words)]
    close += [each for each in NAMES if any(word in each for word in words)]
    close += [each for each in NAMES if any(word in _head(each) for word in words)]
    found = list(dict.fromkeys(close))[:3]
    return f": did you mean {' or '.join(found)}?" if found else "."


def _head(name: str) -> str:
    page = mistake(name)
    return f"{page.title} {page.summary}".lower()


def _terminal(text: str) -> Iterator[str]:
    """The lines of a section: prose wrapped, code indented, an empty line between them."""
    position = 0
    for block in _FENCED.finditer(text):
        yield from _prose(text[position : block.start()])
        yield from (f"    {line}".rstrip() for line in block[1].splitlines())
        yield ""
        position = block.end()
    yield from _prose(text[position:])


def _prose(text: str) -> Iterator[str]:
    for paragraph in re.sub(r"<!--.*?-->", "", text).split("\n\n"):
        if words := " ".join(paragraph.split()):
            yield from textwrap.wrap(words, _WIDTH, break_long_words=False, break_on_hyphens=False)
            yield ""
