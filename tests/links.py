"""The links of a page in Markdown, and the anchors that others may link to."""

import re

from tests.pages import ROOT

_CODE = re.compile(r"^(`{3,}).*?^\1[^\n]*$|`[^`\n]+`", re.M | re.S)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.M)


def links(text):
    """The targets of links and pictures in a text, outside of code."""
    return _LINK.findall(_without_code(text))


def anchors(text):
    """The anchors of headings, as GitHub makes them."""
    found = {}
    headings = _HEADING.findall(re.sub(r"^(`{3,}).*?^\1[^\n]*$", "", text, flags=re.M | re.S))
    for heading in headings:
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {slug if number == 0 else f"{slug}-{number}" for slug, last in found.items() for number in range(last + 1)}


def _without_code(text):
    return _CODE.sub("", text)


def all_pages():
    """Every page of the repository, named from its root."""
    folders = ("", "docs", "native", "benchmarks")
    found = [path for folder in folders for path in (ROOT / folder).glob("**/*.md" if folder == "docs" else "*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)
