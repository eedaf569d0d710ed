"""The shapes of a model's recurrent layers, as parts of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.page.document import PagePart
from recurra.page.parts import DataTable

if TYPE_CHECKING:
    from recurra.look import Explanation


def shape_parts(explained: Explanation) -> list[PagePart]:
    """The variables of an explanation: names, shapes in symbols and numbers, meanings."""
    rows = [(row.name, row.shape, row.numbers, row.meaning) for row in explained.rows]
    return [DataTable(explained.title, ("variable", "shape", "in numbers", "what it is"), rows)]
