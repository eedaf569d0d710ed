"""The reference of the ready cells, as Markdown: each with its paper and its equations."""

from __future__ import annotations

import inspect
import re

import recurra
from recurra.equations import Cell


def zoo_page() -> str:
    """A section for each cell of ``recurra.cells.all()``."""
    return "\n\n".join(_section(name, cell) for name, cell in recurra.cells.all().items())


def _section(name: str, cell: Cell) -> str:
    source = inspect.getsource(cell.function)
    source = re.sub(r'^    """.*?"""\n', "", source, count=1, flags=re.M | re.S)
    states = ", ".join(f"`{state}`" for state in cell.states)
    about = inspect.cleandoc(cell.__doc__ or "")
    return f"## {name}\n\n{about}\n\nStates: {states}.\n\n```python\n{source}```"
