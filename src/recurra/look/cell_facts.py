"""The facts of a cell that need no sizes: its paper, its states, its products, its parameters as a formula."""

from __future__ import annotations

import inspect
import re
from dataclasses import asdict, dataclass
from typing import Any

from recurra import cells
from recurra.compiler import Plan, plan, trace
from recurra.equations import Cell
from recurra.look.parameter_formula import parameter_formula
from recurra.program import Program

# Authors and year in brackets, or the year alone in brackets behind the authors.
_IN_BRACKETS = re.compile(r"\(([^()]*?[^\W\d_][^()]*?\b(?:19|20)\d\d)\b")
_YEAR_IN_BRACKETS = re.compile(r"\((?=[^()]*\b(?:19|20)\d\d\b)")
_YEAR_ALONE = re.compile(r"\(((?:19|20)\d\d)\b")
_BEHIND_NAMES = re.compile(r"([A-Z][^\s().:;]*(?:(?:,| &| and| et al\.)(?: [A-Z][^\s().:;]*)?)*)\s*\(((?:19|20)\d\d)\b")


@dataclass(frozen=True)
class CellFacts:
    """A cell at a glance.

    Attributes:
        name: the cell's name.
        summary: the first sentence of its docstring; empty without one.
        paper: authors and year of the first paper that its docstring names; empty where it names none.
        states: the names of its states, the hidden state first.
        kind: of the loop over time: ``"product"``, ``"elementwise"`` or ``"affine"`` in the states.
        reason: why it is of this kind, in a sentence.
        products: matrix products in each step of the time loop, one after the other or side by side.
        products_outside: matrix products of the input, which run before the loop, and of results, which run after it.
        parameters: the number of parameters, as a formula in ``input`` and ``hidden``.
    """

    name: str
    summary: str
    paper: str
    states: tuple[str, ...]
    kind: str
    reason: str
    products: int
    products_outside: int
    parameters: str

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain data, which ``json.dumps`` takes."""
        return asdict(self)


def cell_facts(cell: Cell, program: Program | None = None) -> CellFacts:
    """The facts of a cell.

    Args:
        cell: any cell with a state.
        program: the cell as it was traced, with its options and sizes. Default: all at their defaults.

    Raises:
        EquationError: the cell's equations contradict themselves.
    """
    program = program or trace(cell)
    scheduled = plan(program)
    about = docstring(cell)
    inside, outside = loop_products(scheduled)
    return CellFacts(
        name=cell.name,
        summary=_first_sentence(about),
        paper=paper(about),
        states=tuple(state.name for state in program.states),
        kind=scheduled.kind,
        reason=scheduled.reason,
        products=inside,
        products_outside=outside,
        parameters=parameter_formula(program),
    )


def zoo_facts() -> tuple[CellFacts, ...]:
    """The facts of every cell of ``recurra.cells.all()``, by name."""
    return tuple(cell_facts(cell) for cell in cells.all().values())


def loop_products(scheduled: Plan) -> tuple[int, int]:
    """The number of matrix products in each step of the time loop, and of those that run before and after it."""
    _, before, step, after = ([e.operation for e in stage].count("product") for stage in scheduled.stages)
    return step, before + after


def docstring(cell: Cell) -> str:
    """The docstring of the cell's function, without indentation; empty without one."""
    return inspect.cleandoc(cell.function.__doc__ or "")


def paper(about: str) -> str:
    """Authors and year of the first paper that a docstring names, or the year alone; empty where it names none."""
    found = [match for match in (_IN_BRACKETS.search(about), _BEHIND_NAMES.search(about)) if match]
    found = found or [match for match in (_YEAR_ALONE.search(about),) if match]
    if not found:
        return ""
    first = min(found, key=lambda match: match.start())
    return re.sub(r",? (\d{4})$", r" \1", " ".join(" ".join(first.groups()).split()))


def _first_sentence(about: str) -> str:
    """The first sentence of a docstring's first paragraph, without the paper in brackets behind it."""
    text = " ".join(about.partition("\n\n")[0].split())
    found = _YEAR_IN_BRACKETS.search(text)
    if found:
        before, rest, depth = text[: found.start()].rstrip(), text[found.start() :], 0
        for number, letter in enumerate(rest):
            depth += (letter == "(") - (letter == ")")
            if depth == 0:
                text = before + rest[number + 1 :]
                break
    return re.split(r"(?<=[a-z0-9)])[.;] ", text, maxsplit=1)[0].rstrip(".")
