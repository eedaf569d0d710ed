"""`recurra cells`: the table of the ready cells, or one cell with its equations, shapes and paper."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Annotated

import typer

from recurra.cli.cell_names import cell_of
from recurra.cli.explain import Json
from recurra.equations import Cell

_HELP = "A cell by name, or one of your own as FILE.py:NAME. Default: a table of all ready cells."
ListedName = Annotated[str | None, typer.Argument(metavar="NAME", help=_HELP)]


def cells(name: ListedName = None, as_json: Json = False) -> None:
    """List the ready cells: paper, states, products per step, parameters; or show one with its equations and shapes."""
    from recurra.look.cell_facts import zoo_facts

    if name is not None:
        _show(cell_of(name), as_json)
        return
    facts = zoo_facts()
    if as_json:
        print(json.dumps([each.to_dict() for each in facts], ensure_ascii=False, indent=2))
        return
    from recurra.look.terminal_text import aligned_rows

    head = ("cell", "paper", "states", "loop", "products", "parameters")
    rows = [(f.name, f.paper, ", ".join(f.states), f.kind, str(f.products), f.parameters) for f in facts]
    print("\n".join(line.removeprefix("  ") for line in aligned_rows([head, *rows], right=(4,))))
    print(f"\n{len(facts)} cells. products: matrix products in each step of the loop over time.")
    print("loop: what it computes from the states: a product, elementwise functions, or affine sums alone.")
    print("recurra cells NAME shows a cell's equations; recurra.nn.Recurrent(recurra.cells.NAME, …) is its layer.")


def _show(cell: Cell, as_json: bool) -> None:
    """Print one cell: its docstring, its equations with shapes, its facts."""
    from recurra.compiler import trace
    from recurra.look.cell_facts import cell_facts, docstring

    facts, program = cell_facts(cell), trace(cell)
    if as_json:
        shown = {"docstring": docstring(cell), "equations": str(program), "options": _plain(cell.options)}
        print(json.dumps({**facts.to_dict(), **shown}, ensure_ascii=False, indent=2))
        return
    print(f"{facts.name}\n")
    if docstring(cell):
        print(f"{docstring(cell)}\n")
    print(program)
    print(f"\nparameters  {facts.parameters}")
    print(f"products    {facts.products} in each step of the loop over time, {facts.products_outside} outside of it")
    print(textwrap.fill(f"loop        {facts.kind}: {facts.reason}", 100, subsequent_indent=" " * 12))
    if cell.options:
        print(f"options     {_listed(cell.options)}")
    if cell.init:
        print(f"init        {_listed(cell.init)}")


def _listed(values: Mapping[str, object]) -> str:
    """Values by name, in one line."""
    return ", ".join(f"{name}={value}" for name, value in _plain(values).items())


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    """The values as plain data: functions by their names."""
    return {
        name: getattr(value, "__name__", str(value)) if callable(value) else value for name, value in values.items()
    }
