"""docs/mistakes.md, made from the pages of the package; ``python -m tests.mistakes_page`` writes it."""

from recurra.mistakes import NAMES, address
from recurra.mistakes.page import mistake
from tests.pages import ROOT

PAGE = ROOT / "docs" / "mistakes.md"
HEAD = """\
# Mistakes with recurrent layers

[简体中文](zh/mistakes.md)

Most mistakes with recurrent layers raise no error in torch.nn: shapes fit by accident, states stay, padding counts.
This page has {count} of them: what people write, what recurra and torch.nn answer, why, and what to write instead.
Where recurra can tell at the call, its message ends with the mistake's address, a command that prints its part of
this page:

```sh
recurra explain --mistake h0-shape
```

`recurra explain --mistake list` lists all. Where a call is right as such and only its use is not, no library can tell.
But `print(recurra.look.check(model, x, lengths=lengths))` runs a copy of a model once, says how each recurrent layer
reads its input, and names the mistakes that shapes, lengths and settings suggest.

| mistake | its name in addresses |
|---|---|
{table}
"""


def slug(heading):
    """The anchor of a heading, as sites that show Markdown make it."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "-_ ")
    return kept.replace(" ", "-")


def page():
    """The text of the page."""
    found = [mistake(name) for name in NAMES]
    table = "\n".join(f"| [{each.title}](#{slug(each.title)}) | `{each.name}` |" for each in found)
    parts = [HEAD.format(count=len(found), table=table)]
    for each in found:
        sections = "\n".join(f"**{heading}**\n\n{text}" for heading, text in each.sections)
        parts.append(f"## {each.title}\n\n`{address(each.name)[1:-1]}`\n\n{each.summary}\n\n{sections}")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
