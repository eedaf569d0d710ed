"""``Explanation``: what ``explain`` returns: text for a terminal, a drawing, a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.look.explained import ExplainedStack, ExplainedVariable
from recurra.look.terminal_text import aligned_rows, count, stack_text


@dataclass(frozen=True)
class ExplainedPart:
    """A recurrent part of a target; a layer or a cell is its own only part.

    Attributes:
        name: its name in the model; empty where it is the whole target.
        stack: its layers.
        arrives: what goes in, with shapes; empty where that is not known.
        leaves: what comes out, with shapes; empty where that is not known.
    """

    name: str
    stack: ExplainedStack
    arrives: str = ""
    leaves: str = ""


@dataclass(frozen=True)
class Explanation:
    """The variables, shapes, costs and states of a target. ``str()`` is text for a terminal; a notebook shows a page.

    Attributes:
        title: the target's name.
        parts: its recurrent parts, in order.
    """

    title: str
    parts: tuple[ExplainedPart, ...]

    @property
    def rows(self) -> tuple[ExplainedVariable, ...]:
        """All variables and parameters of all parts, layer by layer."""
        found: list[ExplainedVariable] = []
        for part in self.parts:
            found += part.stack.sequences
            for layer in part.stack.layers:
                found += [*layer.variables, *layer.parameters]
        return tuple(found)

    @property
    def parameter_count(self) -> int | None:
        """The numbers of all parameters of the recurrent parts; None where sizes are not known."""
        counts = [part.stack.parameter_count for part in self.parts]
        return sum(c for c in counts if c is not None) if None not in counts else None

    def __str__(self) -> str:
        if self.is_one:
            return stack_text(self.parts[0].stack)
        lines = [self.title, "", *self._summary()]
        for part, alike in _together(self.parts):
            names = ", ".join([part.name, *alike])
            lines += ["", "", f"{names}: {stack_text(part.stack)}"]
        return "\n".join(lines)

    @property
    def is_one(self) -> bool:
        """Whether the target is a recurrent layer or cell itself."""
        return len(self.parts) == 1 and not self.parts[0].name

    def _summary(self) -> list[str]:
        """A table of the recurrent parts of a model."""
        head = ("part", "in", "out", "parameters")
        rows = [(p.name, p.arrives or "–", p.leaves or "–", count(p.stack.parameter_count)) for p in self.parts]
        return aligned_rows([head, *rows])

    def to_svg(self) -> str:
        """The drawing of the network unrolled over time, as an SVG document; several parts below each other."""
        from recurra.look.svg_drawing import svg

        return svg([(part.name, part.stack) for part in self.parts])

    def to_html(self) -> str:
        """A whole page with the drawings and all tables, which needs no network and no script."""
        from recurra.look.explanation_page import page

        return page(self)

    def write(self, path: str | Path) -> None:
        """Write the page to an .html file, or the drawing to an .svg file.

        Raises:
            ValueError: the path ends in something else.
        """
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm", ".svg"):
            raise ValueError(f"an explanation is written to an .html or .svg file, not to {path.name}")
        path.write_text(self.to_svg() if path.suffix.lower() == ".svg" else self.to_html(), encoding="utf-8")

    def _repr_html_(self) -> str:
        """The drawings and tables for a notebook, whose own styles stay as they are."""
        from recurra.look.explanation_page import fragment

        return fragment(self)

    def to_dict(self) -> dict[str, Any]:
        """All facts as plain data, which ``json.dumps`` takes."""
        from recurra.look.plain_data import plain

        return plain(self)


def _together(parts: Sequence[ExplainedPart]) -> list[tuple[ExplainedPart, list[str]]]:
    """The parts that differ, each with the names of those that are like it."""
    found: list[tuple[ExplainedPart, list[str]]] = []
    for part in parts:
        for first, alike in found:
            if first.stack == part.stack:
                alike.append(part.name)
                break
        else:
            found.append((part, []))
    return found
