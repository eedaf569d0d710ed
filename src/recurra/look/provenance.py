"""Where a variable comes from: the named variables and the pieces of parameters that its equation reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from recurra.program import Equation, Program, Size, Sizes, Variable
from recurra.program.operations import OPERATIONS


@dataclass(frozen=True)
class Slice:
    """A part of an array along one dimension, in symbols.

    Attributes:
        axis: 0 for rows, -1 for columns or for the features of a vector.
        begin: the first index.
        end: the index after the last one.
    """

    axis: int
    begin: Size
    end: Size

    def numbers(self, sizes: Sizes) -> tuple[int, int]:
        """Begin and end in numbers."""
        return self.begin.value(sizes), self.end.value(sizes)


@dataclass(frozen=True)
class Origin:
    """A variable that another one is computed from, with the part of it that matters.

    Attributes:
        variable: the variable.
        piece: the part; None for all of it.
    """

    variable: Variable
    piece: Slice | None = None

    def text(self, sizes: Sizes | None = None, suffix: str = "") -> str:
        """The origin as Python writes it: ``weight_ih_l0[0:20]``, ``W[:, 20:40]``, in numbers where sizes are given."""
        name = self.variable.name + suffix
        if self.piece is None:
            return name
        begin, end = (self.piece.begin, self.piece.end) if sizes is None else self.piece.numbers(sizes)
        rows = ":, " if self.piece.axis == -1 and len(self.variable.shape) == 2 else ""
        return f"{name}[{rows}{begin}:{end}]"


class Origins:
    """The origins of every variable of a program.

    Args:
        program: the program.
    """

    def __init__(self, program: Program) -> None:
        self._makers = {variable: equation for equation in program.equations for variable in equation.results}
        self.of = {variable: self._of(variable) for variable in self._makers if variable.is_named}

    def maker(self, variable: Variable) -> Equation | None:
        """The equation that computes a variable; None for an input, a state or a parameter."""
        return self._makers.get(variable)

    def _of(self, variable: Variable) -> tuple[Origin, ...]:
        """The origins of a variable, one named variable back: pieces, or all where a part of it needs all."""
        found: dict[Origin, None] = {}
        seen: set[tuple[Variable, Slice | None]] = set()  # each piece of a variable without a name is read once
        waiting: list[tuple[Variable, Slice | None]] = [(variable, None)]
        while waiting:
            read, piece = waiting.pop()
            if read is not variable and (read.is_named or read not in self._makers):
                found[Origin(read, None if piece is None or _is_whole(piece, read) else piece)] = None
            elif (read, piece) not in seen:
                seen.add((read, piece))
                waiting.extend(list(_operands(self._makers[read], read, piece))[::-1])
        whole = {origin.variable for origin in found if origin.piece is None}
        return tuple(origin for origin in found if origin.piece is None or origin.variable not in whole)


def _is_whole(piece: Slice, variable: Variable) -> bool:
    return not piece.begin.terms and piece.end == variable.shape[piece.axis]


def _operands(equation: Equation, result: Variable, piece: Slice | None) -> Iterator[tuple[Variable, Slice | None]]:
    """The operands of an equation, and the piece of each that a piece of its result is computed from."""
    operation, operands = equation.operation, equation.variables
    if operation in ("split", "partition"):
        begin = Size(())
        for part in equation.results[: equation.results.index(result)]:
            begin = begin + part.shape[-1]
        inside = piece or Slice(-1, Size(()), result.shape[-1])
        if inside.axis == -1:
            yield operands[0], Slice(-1, begin + inside.begin, begin + inside.end)
        else:
            yield operands[0], None
    elif operation == "product":
        yield operands[0], piece if piece is not None and piece.axis == 0 else None
        columns = piece is not None and piece.axis == -1 and len(operands[1].shape) == 2
        yield operands[1], piece if columns else None
    elif operation == "transpose":
        yield operands[0], None if piece is None else Slice(-1 if piece.axis == 0 else 0, piece.begin, piece.end)
    elif OPERATIONS[operation].elementwise or operation == "detach":
        for operand in operands:
            yield operand, piece if operand.shape == result.shape else None
    else:
        for operand in operands:
            yield operand, None


def purpose(variable: Variable, readers: Mapping[Variable, Sequence[Equation]]) -> str:
    """The name of the gate that a sum is for; a variable's own name where it is for several things.

    Args:
        variable: the sum.
        readers: the equations that read each variable of the program.
    """
    read_by = readers.get(variable, ())
    if len(read_by) == 1 and len(read_by[0].operands) == 1 and read_by[0].results[0].is_named:
        return read_by[0].results[0].name
    return variable.name


def cuts(program: Program, origins: Origins) -> dict[Variable, dict[Slice, tuple[Variable, ...]]]:
    """For each parameter that is cut into pieces, the named variables that read each piece alone, in order."""
    found: dict[Variable, dict[Slice, tuple[Variable, ...]]] = {}
    parameters = set(program.parameters)
    for variable, sources in origins.of.items():
        for origin in sources:
            if origin.variable in parameters and origin.piece is not None:
                pieces = found.setdefault(origin.variable, {})
                pieces[origin.piece] = (*pieces.get(origin.piece, ()), variable)
    return found
