"""An explanation as a page, and as a part of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.look.explained import ExplainedLayer, ExplainedStack, ExplainedVariable
from recurra.look.svg_drawing import svg
from recurra.look.terminal_text import backward_origins, count, group_title, size
from recurra.look.unrolled import unrolled
from recurra.page.document import Document, PagePart
from recurra.page.parts import DataTable, Figure, Section, Text

if TYPE_CHECKING:
    from recurra.look.explanation import ExplainedPart, Explanation

_NOTEBOOK, _SHAPES = (Path(__file__).with_name(name).read_text("utf-8") for name in ("notebook.css", "shapes.css"))


@dataclass(frozen=True)
class _ShapeTable:
    """A table whose second and third column are shapes, which stay on one line."""

    table: DataTable

    style = _SHAPES

    def html(self) -> str:
        """The table as HTML."""
        return f'<div class="shapes">{self.table.html()}</div>\n'


def page(explanation: Explanation) -> str:
    """The explanation as a whole page."""
    lead = ["Every shape, what it is and where it comes from; t is a step of time."]
    return Document(explanation.title, _parts(explanation), lead).html()


def fragment(explanation: Explanation) -> str:
    """The explanation as HTML for a notebook's cell."""
    body = "".join(part.html(3) if isinstance(part, Section) else part.html() for part in _parts(explanation))
    return f'<div class="recurra-explanation"><style>{_NOTEBOOK}{_SHAPES}</style>{body}</div>'


def _parts(explanation: Explanation) -> list[PagePart]:
    if explanation.is_one:
        return stack_parts("", explanation.parts[0].stack)
    head = ("part", "layer", "in", "out", "parameters")
    rows = [
        (part.name, part.stack.title, part.arrives or "–", part.leaves or "–", count(part.stack.parameter_count))
        for part in explanation.parts
    ]
    return [DataTable("The recurrent parts, in order", head, rows), *map(_section, explanation.parts)]


def _section(part: ExplainedPart) -> Section:
    return Section(f"{part.name}: {part.stack.title}", stack_parts(part.name, part.stack))


def stack_parts(name: str, stack: ExplainedStack) -> list[PagePart]:
    """All facts about a cell or a layer."""
    network = unrolled(stack)
    where = f"{name}, unrolled" if name else "Unrolled"
    caption = f"{where} over time, layers upwards. Dashed frames hold both directions of a layer at a step."
    if not any(lane.is_backward for floor in network.floors for lane in floor.lanes):
        caption = "One step." if stack.is_cell else f"{where} over time, layers upwards."
    parts: list[PagePart] = [Text(stack.notes)] if stack.notes else []
    parts.append(Figure(svg([("", stack)]), caption, network.description))
    if stack.sequences:
        parts.append(Section("All steps", [_variables("Arguments and results of a call", stack.sequences)]))
    if stack.relations is not None:
        parts.append(_relations(stack))
    parts += [Section(_capitalised(group_title(group)), _of_group(group)) for group in stack.groups]
    if stack.sizes is not None:
        parts.append(_costs(stack))
    equations = DataTable("", ("equation", "when it runs"), stack.equations, code=(0,))
    loop = Text([f"The loop over time is of the kind {stack.loop.kind}: {stack.loop.reason}"])
    parts.append(Section("Equations, and when they run", [equations, loop]))
    return parts


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _variables(caption: str, rows: Sequence[ExplainedVariable]) -> _ShapeTable:
    head = ["name", "shape", "in symbols", "what it is"]
    cells = [[row.name, row.numbers or row.shape, row.shape, row.meaning] for row in rows]
    if any(row.origins for row in rows):
        head.append("comes from")
        cells = [[*texts, row.origin] for texts, row in zip(cells, rows, strict=True)]
    return _ShapeTable(DataTable(caption, head, cells, code=(0, 1, 2)))


def _of_group(group: Sequence[ExplainedLayer]) -> list[PagePart]:
    first = group[0]
    parameters = [parameter for layer in group for parameter in layer.parameters]
    rows = [
        (
            parameter.name,
            parameter.numbers or parameter.shape,
            parameter.shape,
            count(parameter.count),
            parameter.meaning,
            ", ".join(f"{piece} {purpose}" for piece, purpose in parameter.pieces),
        )
        for parameter in parameters
    ]
    head = ("name", "shape", "in symbols", "count", "what it is", "cut into")
    is_cell = first.place is None or first.title == "one step"
    backward = backward_origins(group)
    return [
        _variables("Variables" if is_cell else f"One step of {first.title}", first.variables),
        *([Text(backward)] if backward else []),
        _ShapeTable(DataTable("Parameters", head, rows, code=(0, 1, 2))),
    ]


def _relations(stack: ExplainedStack) -> Section:
    found = stack.relations
    assert found is not None
    state = f"{stack.program.states[0].name}_n"
    directions = ("forward", "backward")
    rows = [
        (
            f"{state}{row.index}",
            str(row.layer),
            directions[row.direction],
            row.when,
            str(row.equality) if row.equality else row.elsewhere,
        )
        for row in found.rows
    ]
    table = DataTable(
        f"The rows of {state}", ("row", "layer", "direction", "when", "where output has it"), rows, code=(0,)
    )
    return Section(f"{state} and output", [table, Text([s.text for s in found.statements])])


def _costs(stack: ExplainedStack) -> Section:
    rows = [
        (layer.title, count(layer.parameter_count), count(layer.multiplications), size(layer.kept))
        for layer in stack.layers
    ]
    if stack.between:
        rows.append(("between layers, first states", "", "", size(stack.between)))
    rows.append(("all", count(stack.parameter_count), count(stack.multiplications), size(stack.kept)))
    head = ("", "parameters", "multiply-adds of a step", "kept in training")
    notes = [
        "A step is one step of one sequence. Bytes are kept by recurra's engine on the CPU until the backward pass; "
        "weights and the input are not counted."
    ]
    if stack.call_multiplications is not None:
        notes.append(f"A call on this batch takes {count(stack.call_multiplications)} multiply-adds.")
    return Section("Costs", [DataTable("", head, rows, own_row=len(rows) - 1), Text(notes)])
