"""The pages of the documentation, and the blocks of code in them.

A comment before a block says what tests do with it. Readers see neither comment nor difference:

- ``<!-- not run: REASON -->``: nothing;
- ``<!-- file: NAME -->``: it is written to this file, before anything of the page runs;
- ``<!-- without torch -->``: it runs in a process of its own, in which torch cannot be imported;
- ``<!-- raises: ERROR -->``: it raises this, with the message that the next block shows, or a part of it;
- ``<!-- prints -->``: the block is what the one before prints.

A semicolon stands between several.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARKS = ("not run", "file", "without torch", "raises", "prints")
CODE = ("python", "sh")
# Blocks in languages that no test can run, and blocks without a language: output, pictures, equations.
OTHERS = ("", "text", "json")
_FENCED = re.compile(
    r"(?:^<!-- (?P<marks>[^\n]+?) -->\n+)?^(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<source>.*?)^(?P=fence)\n",
    re.M | re.S,
)


@dataclass(frozen=True)
class Block:
    """A block of code: its page and line, its language, its text, and its marks with what follows their colons."""

    page: str
    line: int
    language: str
    source: str
    marks: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages():
    """The pages with code of their own, named from the root of the repository.

    The blocks of translations are those of their originals.
    """
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found if "zh" not in path.relative_to(ROOT).parts]


def all_blocks(name):
    """All blocks of a page, in their order; not the directives of the site."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = []
    for match in _FENCED.finditer(text):
        if match["language"].startswith("{"):
            continue
        parts = [part.partition(": ") for part in (match["marks"] or "").split("; ") if part]
        marks = {mark: note for mark, _, note in parts}
        line = text.count("\n", 0, match.start("source")) + 1
        found.append(Block(name, line, match["language"].strip(), match["source"], marks))
    return found


def blocks(name, language):
    """The texts of a page's blocks in one language."""
    return [block.source for block in all_blocks(name) if block.language == language]
