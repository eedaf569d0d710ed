"""Pages in Simplified Chinese and their originals; ``python -m tests.translations`` copies the blocks of code anew.

Prose is translated, blocks are not: block k of a translation is block k of the original, with the comment before it.
"""

import re

from tests.pages import ROOT

TRANSLATIONS = {
    "README.zh-CN.md": "README.md",
    "docs/zh/mistakes.md": "docs/mistakes.md",
    "docs/zh/shapes.md": "docs/shapes.md",
    "docs/zh/tour.md": "docs/tour.md",
}
BLOCK = re.compile(r"(?:^<!-- [^\n]+ -->\n+)?^(?P<fence>`{3,})[^\n`]*\n.*?^(?P=fence)\n", re.M | re.S)


def raw_blocks(page):
    """The blocks of a page as they are written, each with the comment before it."""
    return [found[0] for found in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8"))]


def refreshed(translation):
    """A translation with the blocks of its original.

    Raises:
        ValueError: it has another number of blocks.
    """
    wanted, held = raw_blocks(TRANSLATIONS[translation]), raw_blocks(translation)
    if len(wanted) != len(held):
        raise ValueError(f"{translation} has {len(held)} blocks, {TRANSLATIONS[translation]} {len(wanted)}")
    blocks = iter(wanted)
    return BLOCK.sub(lambda _: next(blocks), (ROOT / translation).read_text(encoding="utf-8"))


if __name__ == "__main__":
    for translation in TRANSLATIONS:
        (ROOT / translation).write_text(refreshed(translation), encoding="utf-8")
