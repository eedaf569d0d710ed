"""Pages as Sphinx reads them: links to files outside of docs/, and the parts that programs write."""

from __future__ import annotations

import re
from typing import Any

from tools.site.commands import commands_page
from tools.site.front import frame
from tools.site.zoo import zoo_page

# Files outside of docs/ that are pages of the site, and the links to them from docs/.
OUTSIDE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/RESULTS.md": "benchmarks.md",
}
_EXAMPLE = re.compile(r"\]\(((?:\.\./)+)examples/(\w+)\.py\)")
_PARTS = {"<!-- commands -->": commands_page, "<!-- zoo -->": zoo_page, "<!-- live shapes -->": frame}


def read(app: Any, name: str, source: list[str]) -> None:
    """Change the text of a page before it is parsed; Sphinx's event ``source-read``."""
    text = source[0]
    for mark, part in _PARTS.items():
        if mark in text:
            text = text.replace(mark, part())
    for file, page in OUTSIDE.items():
        text = re.sub(rf"\]\(((?:\.\./)*)\.\./{re.escape(file)}", rf"](\1{page}", text)
    source[0] = _EXAMPLE.sub(lambda link: f"]({link[1][3:]}examples.md#{link[2]}py)", text)


def setup(app: Any) -> dict[str, bool]:
    """Join Sphinx."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True}
