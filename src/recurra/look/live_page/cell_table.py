"""A cell as a table of data: its variables with their shapes in symbols, for every form that a layer can give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recurra import cells
from recurra.compiler import TracedCell, drop_biases, trace
from recurra.compiler.rewrite import users
from recurra.equations import Cell
from recurra.errors import EquationError
from recurra.look.meanings import meanings
from recurra.look.provenance import Origins, cuts, purpose
from recurra.program import Program, Variable
from recurra.program.text import Printer

GROUPS = ("your own", "torch.nn's", "the zoo")  # in the order in which the page offers them

# The cells that have a class of their own in recurra.nn: its name, and whether the class has proj_size.
_CLASSES = {cells.rnn: ("RNN", False), cells.lstm: ("LSTM", True), cells.gru: ("GRU", False)}


@dataclass(frozen=True)
class _CellForm:
    """One of the four programs of a cell, as a layer's options ask for it."""

    bias: bool
    is_projected: bool

    def program(self, cell: Cell) -> Program:
        """The program that a layer with these options runs."""
        program = trace(cell, projected=self.is_projected)
        return program if self.bias or isinstance(cell, TracedCell) else drop_biases(program)


# In the order in which the page numbers them: bias + 2 * projection.
_FORMS = tuple(_CellForm(bias, is_projected) for is_projected in (False, True) for bias in (False, True))


def cell_tables(chosen: Sequence[Cell]) -> list[dict[str, Any]]:
    """The tables of cells, as data for JSON; see :func:`_table`. Cells of one name get different keys.

    Raises:
        EquationError: a cell has no state, or its equations contradict themselves.
    """
    tables: list[dict[str, Any]] = []
    for cell in chosen:
        if not cell.states:
            raise EquationError(f"cell {cell.name!r} has no state: there is nothing to run over sequences")
        taken = {table["key"] for table in tables}
        number = next(n for n in range(1, len(tables) + 2) if _key(cell, n) not in taken)
        tables.append({"key": _key(cell, number), **_table(cell)})
    return tables


def _key(cell: Cell, number: int) -> str:
    return cell.name if number == 1 else f"{cell.name}_{number}"


def _table(cell: Cell) -> dict[str, Any]:
    """One cell: what a layer of it is called, its variables, and the forms that a layer's options give it.

    ``rows`` holds every variable of every form once: name, role, meaning, source, shape in symbols, whether there is
    one for each example, and of a parameter the pieces that it is cut into. A form names its variables by their numbers
    in ``rows``; a form that cannot be has ``error``, and one that is as an earlier one is the number of that.
    """
    rows: dict[tuple[Any, ...], int] = {}
    forms = []
    for form in _FORMS:
        try:
            forms.append(_form(form.program(cell), rows))
        except EquationError as error:
            if not form.is_projected:
                raise
            forms.append({"error": str(error)})
    is_of_zoo = cells.all().get(cell.name) is cell
    name, has_projection = _CLASSES.get(cell, ("", True))
    return {
        "name": cell.name,
        "label": name or cell.name,
        "group": GROUPS[0 if not is_of_zoo else 1 if name else 2],
        "summary": " ".join((vars(cell).get("__doc__") or "").partition("\n\n")[0].split()),
        "layer": name,
        "layer_projects": has_projection,
        "python": f"recurra.cells.{cell.name}" if is_of_zoo else cell.name,
        "states": [state.name for state in _FORMS[0].program(cell).states],
        "rows": [list(row) for row in rows],
        "forms": [first if (first := forms.index(form)) < number else form for number, form in enumerate(forms)],
    }


def _form(program: Program, rows: dict[tuple[Any, ...], int]) -> dict[str, Any]:
    """A program by the numbers of its variables; adds those that ``rows`` does not have yet."""
    lines, pieces = _lines(program), _pieces(program)
    varying, words = program.varying(), meanings(program)
    numbers: dict[Variable, int] = {}
    inputs = program.named_inputs
    lines |= {variable: (variable.name, f"{variable.name}[t]") for variable in inputs[1:]}
    for variable in (*inputs, *(v for v in program.variables() if v not in {program.input, *inputs})):
        if variable in inputs or variable in program.sources or variable in lines:
            left, right = lines.get(variable, (variable.name, ""))
            row = (
                left,
                _role(program, variable, variable in varying),
                words.get(variable.name, "intermediate value"),
                right,
                tuple(map(str, variable.shape)),
                int(variable in varying),
                pieces.get(variable, ()),
            )
            numbers[variable] = rows.setdefault(row, len(rows))
    return {
        "rows": list(numbers.values()),
        "states": [numbers[state] for state in program.states],
        "parameters": [numbers[parameter] for parameter in program.parameters],
        "output": [str(size) for size in program.output.shape],
        "products": [
            [[str(size) for size in left.shape], str(right.shape[-1]), equation.results[0] in varying]
            for equation in program.equations
            if equation.operation == "product"
            for left, right in [equation.variables]
        ],
        "gives_state": program.output == program.next_states[0],
        "fractions": [
            [variable.name, [str(size) for size in variable.shape]]
            for variable in program.variables()
            if any(factor.denominator != 1 for size in variable.shape for _, factor in size.terms)
        ],
    }


def _lines(program: Program) -> dict[Variable, tuple[str, str]]:
    """The printed name of every computed variable that has a line of its own, and the right side of that line."""
    printer = Printer(program)
    found = {}
    for equation in program.equations:
        for text, _ in printer.lines([equation]):
            left, _, right = text.partition(" = ")
            names = left.split(", ")
            for place, (variable, name) in enumerate(zip(equation.results, names, strict=True)):
                found[variable] = (name, f"{right}[{place}]" if len(names) > 1 else right)
    return found


def _role(program: Program, variable: Variable, is_varying: bool) -> str:
    """The place of a variable in a step: input, state, parameter, next (a new state), step, or once (for a call)."""
    if variable == program.named_inputs[0]:
        return "input"
    if variable in program.states:
        return "state"
    if variable in program.parameters:
        return "parameter"
    if variable in program.next_states:
        return "next"
    return "step" if is_varying else "once"


def _pieces(program: Program) -> dict[Variable, tuple[tuple[Any, ...], ...]]:
    """The pieces of each parameter that is cut: axis, first index, the index after the last one, what it is for."""
    readers = users(program)

    def named(variables: Sequence[Variable]) -> str:
        return " and ".join(purpose(variable, readers) for variable in variables)

    return {
        parameter: tuple((piece.axis, str(piece.begin), str(piece.end), named(read)) for piece, read in pieces.items())
        for parameter, pieces in cuts(program, Origins(program)).items()
    }
