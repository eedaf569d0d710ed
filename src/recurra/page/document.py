"""The frame of every page: headline, parts, footer, and the styles and scripts that the parts ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

from recurra.errors import RunError
from recurra.files import write_atomically
from recurra.version import __version__

THEME = Path(__file__).with_name("theme.css").read_text(encoding="utf-8")


class PagePart(Protocol):
    """A part of a page.

    Besides its HTML it may have these attributes: ``style`` and ``script``, the CSS and the JavaScript that it needs,
    each a text or a tuple of texts; ``parts``, the parts inside of it, whose styles and scripts the page needs too. A
    page has each distinct text once. A script runs after the whole page is there, in a block of its own, so that its
    names meet those of no other script.
    """

    def html(self) -> str:
        """The part as HTML that refers to no file and no address."""


@dataclass(frozen=True)
class Document:
    """A page.

    Attributes:
        title: its headline, and its name in the browser.
        parts: what it shows, from top to bottom.
        lead: paragraphs below the headline. Default none.
    """

    title: str
    parts: Sequence[PagePart]
    lead: Sequence[str] = ()

    def html(self) -> str:
        """The page as HTML that refers to no other file."""
        title = escape(self.title)
        lead = "".join(f'<p class="lead">{escape(paragraph)}</p>\n' for paragraph in self.lead)
        body = "".join(part.html() for part in self.parts)
        scripts = "".join(f"{{\n{script}}}\n" for script in asked_for(self.parts, "script"))
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="color-scheme" content="light dark">\n<title>{title}</title>\n'
            f"<style>\n{THEME}{''.join(asked_for(self.parts, 'style'))}</style>\n</head>\n<body>\n"
            f"<main>\n<h1>{title}</h1>\n{lead}{body}</main>\n<footer>Made by recurra {__version__}.</footer>\n"
            + (f'<script>\n"use strict";\n{scripts}</script>\n' if scripts else "")
            + "</body>\n</html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file.

        Raises:
            RunError: the file cannot be written.
        """
        try:
            write_atomically(path, self.html().encode())
        except OSError as error:
            raise RunError(f"{os.fspath(path)} cannot be written: {error.strerror or error}") from None


def asked_for(parts: Sequence[PagePart], kind: str) -> list[str]:
    """The distinct texts of the attribute `kind`, ``style`` or ``script``, of parts and of those inside, in order."""
    texts = [getattr(part, kind, ()) for part in _all_of(parts)]
    return list(dict.fromkeys(text for each in texts for text in ((each,) if isinstance(each, str) else each) if text))


def _all_of(parts: Sequence[PagePart]) -> Iterator[PagePart]:
    for part in parts:
        yield part
        yield from _all_of(getattr(part, "parts", ()))
