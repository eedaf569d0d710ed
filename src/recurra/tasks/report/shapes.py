"""The shapes of a model's recurrent layers, as parts of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.look import explain
from recurra.look.explanation_page import stack_parts
from recurra.page.document import PagePart
from recurra.page.parts import DataTable, Details, Section

if TYPE_CHECKING:
    from recurra.look import Explanation
    from recurra.model import Description


def shapes_section(description: Description) -> Section:
    """The shapes of a model; of an ensemble those of its first network, as all are alike."""
    members = description.members()
    return Section("Shapes", shape_parts(explain(members[0] if len(members) > 1 else description)))


def shape_parts(explained: Explanation) -> list[PagePart]:
    """A table of each recurrent part's variables, and everything else that is known of it, folded in.

    Args:
        explained: the explanation.
    """
    parts: list[PagePart] = []
    for part in explained.parts:
        stack = part.stack
        variables = [*stack.sequences, *stack.layers[0].variables]
        rows = [(row.name, row.shape, row.numbers, row.meaning) for row in variables]
        title = f"{part.name}: {stack.title}" if part.name else stack.title
        parts += [
            DataTable(title, ("variable", "shape", "in numbers", "what it is"), rows),
            Details(f"Drawing, parameters, costs and equations of {title}", stack_parts(part.name, stack)),
        ]
    return parts
