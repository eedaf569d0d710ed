"""Pages for developers name files and tests that exist, and every folder of the package."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "recurra"
PAGES = {  # each with the folders that its paths may be relative to
    "CONTRIBUTING.md": (ROOT, PACKAGE),
    "docs/architecture.md": (PACKAGE, ROOT, ROOT / "docs"),
    "native/README.md": (ROOT / "native", ROOT, PACKAGE),
}
MARKED = re.compile(r"^```.*?^```|`[^`\n]+`", re.M | re.S)
PATH = re.compile(
    r"(?<![\w/.<>*…-])"
    r"((?:[\w.-]+/)*[\w.-]*\w\.(?:py|pyi|h|cpp|inl|def|md|toml|txt|yaml|sh)|(?:[A-Za-z_][\w.-]*/)+)"
    r"(?:::(\w+))?(?![\w/<*…])"
)


def named(page):
    """The paths in code spans and blocks, each with the name of a test in it, or an empty text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [found.groups("") for marked in MARKED.findall(text) for found in PATH.finditer(marked)]


def place_of(path, page):
    """The file or folder that a path leads to, or None. A name alone may be that of one inside another folder."""
    places = [folder / path for folder in PAGES[page] if (folder / path).exists()]
    if not places and "/" not in path.rstrip("/"):
        places = [place for folder in ("src", "native", "benchmarks") for place in (ROOT / folder).rglob(path)]
    return places[0] if places else None


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page):
    found = named(page)
    assert len(found) > 20
    assert not [path for path, _ in found if place_of(path, page) is None]
    for path, test in found:
        if test:
            assert f"def {test}(" in place_of(path, page).read_text(encoding="utf-8"), f"{path}::{test}"


def test_the_tree_is_complete():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = text[text.index("## The tree") :].split("```")[1]
    listed = {line.split()[0] for line in tree.splitlines() if line}
    folders = [path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    expected = {f"{folder.name}/" for folder in folders} - {"peers/"}
    expected |= {path.name for path in PACKAGE.glob("*.py")}
    assert expected <= listed
    assert {f"{name}/" for name in ("native", "tests", "docs", "examples", "benchmarks", "tools")} <= listed


def test_the_hooks_have_the_versions_of_the_constraints():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    versions = re.findall(r"\[([\w-]+==[\w.]+)\]", hooks)
    assert len(versions) == 4
    assert set(versions) <= set(pinned)
