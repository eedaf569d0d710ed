"""Links of all pages lead somewhere: to files, to headings, to known hosts."""

import re

import pytest

from tests.links import all_pages, anchors, links
from tests.pages import ROOT

# The hosts that pages may link to. Nothing here asks them for anything.
HOSTS = {"github.com", "keepachangelog.com", "semver.org"}


@pytest.mark.parametrize("page", all_pages())
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in links(text):
        if re.match(r"[a-z]+:", target):
            host = re.fullmatch(r"https://([a-z0-9.-]+)(/[^\s<>\"]*)?", target)
            assert host, target
            assert host[1] in HOSTS, target
            continue
        path, _, anchor = target.partition("#")
        place = (ROOT / page).parent / path if path else ROOT / page
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place.read_text(encoding="utf-8")), target


def test_anchors_are_github_s():
    text = "# A `b` c\n\n```\n# no heading\n```\n\n## What is *it*?\n\n## A b c\n"
    assert anchors(text) == {"a-b-c", "what-is-it", "a-b-c-1"}


def test_links_in_code_are_none():
    assert links("[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n![g](h.svg)") == ["b.md", "h.svg"]
