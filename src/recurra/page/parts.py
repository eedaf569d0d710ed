"""Parts of pages that only show what they are given: sections, texts, tables, figures, code."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from recurra.page.document import PagePart

_NUMBER = re.compile(r"[+−±-]?(\d[\d,.]*(e[+-]?\d+)?(×10[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)?( ?%)?|inf|nan)|[–—]?")
_LONG = 32  # characters of a text that a cell may break into lines


@dataclass(frozen=True)
class Section:
    """Parts under a heading; a section inside of a section has a smaller heading.

    Attributes:
        title: the heading.
        parts: what stands below it.
    """

    title: str
    parts: Sequence[PagePart]

    def html(self, level: int = 2) -> str:
        """The section as HTML.

        Args:
            level: the level of its heading; the page's own is 1. Default 2.
        """
        inner = (part.html(min(level + 1, 6)) if isinstance(part, Section) else part.html() for part in self.parts)
        return f"<section>\n<h{level}>{escape(self.title)}</h{level}>\n{''.join(inner)}</section>\n"


@dataclass(frozen=True)
class Text:
    """Paragraphs of plain text, in which `` `…` `` is code.

    Attributes:
        paragraphs: the texts.
    """

    paragraphs: Sequence[str]

    def html(self) -> str:
        """The paragraphs as HTML."""
        return "".join(f"<p>{_with_code(paragraph)}</p>\n" for paragraph in self.paragraphs)


@dataclass(frozen=True)
class DataTable:
    """A table, which scrolls sideways in a box of its own where the page is too narrow for it.

    The first column names its row, and stays where it is. A column of numbers alone stands to the right; texts stay on
    one line, unless the column has a long one.

    Attributes:
        caption: what it shows; empty for nothing to be said.
        head: the names of the columns.
        rows: the texts of the cells.
        own_row: the index of the row that stands out. Default none.
        code: the indices of columns of code, such as names and shapes. Default none.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    own_row: int | None = None
    code: Collection[int] = ()

    def html(self) -> str:
        """The table as HTML."""
        kinds = [_kind_of(column) for column in zip(*self.rows, strict=True)] or [""] * len(self.head)
        classes = "data"
        if len(kinds) > 1 and set(kinds[1:]) == {"number"}:  # one class in place of one for each cell
            kinds, classes = [""] * len(kinds), "data numbers"
        head = "".join(
            _cell("th", name, kind, ' scope="col"') if name else _cell("td", "", kind)
            for name, kind in zip(self.head, kinds, strict=True)
        )
        rows = []
        for index, row in enumerate(self.rows):
            own = ' class="own"' if index == self.own_row else ""
            cells = [
                _cell(
                    "td" if column else "th", text, kind, "" if column else ' scope="row"', is_code=column in self.code
                )
                for column, (text, kind) in enumerate(zip(row, kinds, strict=True))
            ]
            rows.append(f"<tr{own}>{''.join(cells)}</tr>\n")
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        body = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>"
        table = f'<table class="{classes}">{caption}{body}</table>'
        label = escape(self.caption or "Table")
        return f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">\n{table}\n</div>\n'


def _kind_of(column: Sequence[str]) -> str:
    if any(column) and all(map(_NUMBER.fullmatch, column)):
        return "number"
    return "long" if max(map(len, column)) > _LONG else ""


def _cell(tag: str, text: str, kind: str, scope: str = "", *, is_code: bool = False) -> str:
    shown = f"<code>{escape(text)}</code>" if is_code and text else escape(text)
    classes = f' class="{kind}"' if kind else ""
    return f"<{tag}{scope}{classes}>{shown}</{tag}>"


@dataclass(frozen=True)
class Details:
    """Parts that the reader folds out.

    Attributes:
        summary: the line that is always seen.
        parts: what it hides.
    """

    summary: str
    parts: Sequence[PagePart]

    def html(self) -> str:
        """The parts as HTML, folded in."""
        inner = "".join(part.html() for part in self.parts)
        return f"<details><summary>{escape(self.summary)}</summary>\n{inner}</details>\n"


@dataclass(frozen=True)
class Figure:
    """A drawing with a caption, which scrolls sideways in a box of its own where the page is too narrow for it.

    Attributes:
        svg: an ``<svg>`` element, as HTML.
        caption: the line below it; empty for none.
        description: what it shows, for readers who do not see it.
    """

    svg: str
    caption: str
    description: str

    def html(self) -> str:
        """The figure as HTML."""
        caption = f"<figcaption>{_with_code(self.caption)}</figcaption>\n" if self.caption else ""
        return (
            f'<figure>\n<div class="scroll" tabindex="0" role="img" aria-label="{escape(self.description)}">\n'
            f"{self.svg}\n</div>\n{caption}</figure>\n"
        )


@dataclass(frozen=True)
class CodeBlock:
    """Lines of code or of a terminal, as they are.

    Attributes:
        text: the lines.
    """

    text: str

    def html(self) -> str:
        """The lines as HTML."""
        return f'<pre class="scroll" tabindex="0"><code>{escape(self.text)}</code></pre>\n'


def _with_code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
