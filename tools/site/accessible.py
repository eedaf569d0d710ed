"""What the theme's HTML lacks for readers with a keyboard or a screen reader; ``build-finished`` adds it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_CAPTION = re.compile(r'(<p class="caption" role="heading")>')
_CODE = re.compile(r'(<div class="highlight">)<pre>')
_TABLE = re.compile(r'<div class="table-wrapper([^"]*)">')
# The arguments of a long signature, a line each, which docutils writes as a list of definitions without terms.
_ARGUMENTS = re.compile(r"<dl>\n((?:<dd>(?:(?!</?dl).)*?</dd>\n*)+)</dl>", re.S)


def accessible(html: str) -> str:
    """A page with levels for captions, boxes that a keyboard can scroll, and lists that are lists."""
    html = _CAPTION.sub(r'\1 aria-level="2">', html)
    html = _CODE.sub(r'\1<pre tabindex="0">', html)
    html = _TABLE.sub(r'<div class="table-wrapper\1" tabindex="0">', html)
    return _ARGUMENTS.sub(_lines, html)


def _lines(found: re.Match[str]) -> str:
    inner = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    return f'<span class="sig-lines">{inner}</span>'


def _finish(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            text = path.read_text(encoding="utf-8")
            path.write_text(accessible(text), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Join Sphinx."""
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True}
