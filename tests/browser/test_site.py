"""The site: it builds without a warning, all its links lead somewhere, and its reference is complete."""

import importlib
import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from tools.site.references import PUBLIC

from tests.browser.checks import check_looks
from tests.pages import ROOT

# Names that are modules, torch's own, or described under another name.
ELSEWHERE = {
    "recurra": {"cells", "compiler", "look", "nn", "runtime", "__version__"},
    "recurra.nn": {"PackedSequence", "invert_permutation", "pad_sequence", "unpack_sequence"},
}
# One page of each kind: the front, prose with code, tables, signatures, options.
LOOKED_AT = ("index.html", "tour.html", "coming/keras.html", "reference/nn.html", "reference/commands.html")


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if values.get("id"):
            self.anchors.add(values["id"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in ("img", "script", "iframe") and values.get("src"):
            self.loads.append(values["src"])
        if tag == "link" and values.get("href"):
            self.loads.append(values["href"])


@pytest.mark.slow
def test_the_site(tmp_path, browser):
    options = ["-b", "html", "-c", ROOT / "tools" / "site", "-d", tmp_path / "cache", "-W", "--keep-going", "-q"]
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, ROOT / "docs", tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    pages = {
        path.relative_to(tmp_path / "site").as_posix(): Page(path.read_text(encoding="utf-8"))
        for path in (tmp_path / "site").rglob("*.html")
    }
    check_links(pages, {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*")})
    check_reference((tmp_path / "site" / "genindex.html").read_text(encoding="utf-8"))
    for name in LOOKED_AT:
        page = browser.new_page()
        page.goto((tmp_path / "site" / name).as_uri())
        check_looks(page)
        page.close()


def check_links(pages, files):
    assert len(pages) > 50
    for name, page in pages.items():
        for target in [*page.links, *page.loads]:
            parts = urlsplit(target)
            if parts.scheme:
                assert parts.scheme == "https", f"{name}: {target}"
                assert target not in page.loads, f"{name} asks {target} for something"
                continue
            path = posixpath.join(posixpath.dirname(name), unquote(parts.path))
            place = posixpath.normpath(path) if parts.path else name
            assert place in files, f"{name}: {target}"
            if parts.fragment and place in pages and not place.startswith("_modules"):
                assert unquote(parts.fragment) in pages[place].anchors, f"{name}: {target}"


def check_reference(index):
    described = set(re.findall(r'href="[^"#]*#(recurra[\w.]*)"', index))
    by_object = {id(value_of(name)) for name in described}
    for module in PUBLIC:
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", ()):
            if name in ELSEWHERE.get(module, ()):
                continue
            assert f"{module}.{name}" in described or id(getattr(loaded, name)) in by_object, f"{module}.{name}"


def value_of(name):
    """The object of a dotted name."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part, None)
        return value
    raise AssertionError(name)
