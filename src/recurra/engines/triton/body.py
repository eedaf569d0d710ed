"""Writes the equations of a loop as statements of Triton's language, piece by piece.

``sequences.py`` and ``steps.py`` put the statements into kernels. They differ in where the operands of products and
reductions are: in registers, or in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from recurra.engines.triton.expressions import expression, literal
from recurra.engines.triton.identifiers import Identifiers
from recurra.engines.triton.pieces import CUT, RENAMED, RUNNING, FeaturePiece, Pieces
from recurra.program import OPERATIONS, Equation, Operand, Variable

REDUCTIONS = ("sum", "mean", "max", "total")


class KernelBody(ABC):
    """The statements of a kernel's step, and what stands before them.

    Attributes:
        head: statements that run once, before the steps.
        lines: statements of a step.
        constants: the constants that the statements read.
    """

    def __init__(self, pieces: Pieces, names: Identifiers) -> None:
        self.pieces, self.names = pieces, names
        self.head: list[str] = []
        self.lines: list[str] = []
        self.constants: dict[Variable, None] = {}
        self._values: dict[Variable, dict[FeaturePiece, str]] = {}
        self._loaded: dict[tuple[Variable, FeaturePiece], str] = {}

    # ---- values ----

    def name(self, variable: Variable, piece: FeaturePiece) -> str:
        """The name of a piece of a variable: the variable's own where it is whole."""
        pieces = self.pieces.of(variable)
        return self.names.of(variable, "" if len(pieces) == 1 else f"_{pieces.index(piece)}")

    def give(self, variable: Variable, piece: FeaturePiece, text: str) -> str:
        """Write down the value of a piece, and return its name."""
        name = self.name(variable, piece)
        self.lines.append(f"{name} = {text}")
        self.hold(variable, piece, name)
        return name

    def hold(self, variable: Variable, piece: FeaturePiece, name: str) -> None:
        """Note the name of a value that is known."""
        self._values.setdefault(variable, {})[piece] = name

    def value(self, operand: Operand, piece: FeaturePiece) -> str:
        """The name of a piece of an operand; a scalar's own name for any piece; literals as they are."""
        if not isinstance(operand, Variable):
            return literal(operand)
        piece = piece if operand.shape else FeaturePiece(0, 1)
        if operand not in self.pieces.varying:
            return self.constant(operand, piece)
        return self.known(operand, piece)

    def known(self, variable: Variable, piece: FeaturePiece) -> str:
        """The name of a piece of a variable of the loop."""
        return self._values[variable][piece]

    def is_known(self, variable: Variable) -> bool:
        """Whether a variable has a value here."""
        return variable in self._values

    def constant(self, variable: Variable, piece: FeaturePiece) -> str:
        """The name of some elements of a constant, which are read once, before the steps."""
        key = (variable, piece)
        if key not in self._loaded:
            self.constants[variable] = None
            name = self._loaded[key] = self.names.fresh(f"{self.names.of(variable)}_{piece.offset}")
            place = self.place(variable, piece.offset)
            if variable.shape:
                place = f"{place} + j_{piece.width}, mask=in_{piece.width}, other=0.0"
            read = f"tl.load({place})"
            self.head.append(f"{name} = {read} != 0" if variable.kind == "bool" else f"{name} = {read}.to(tl.float32)")
        return self._loaded[key]

    def place(self, variable: Variable, offset: int = 0) -> str:
        """The address of an element of a variable in memory."""
        pointer = self.names.of(variable, "_ptr")
        return f"{pointer} + {offset}" if offset else pointer

    def shape(self, piece: FeaturePiece, is_scalar: bool) -> str:
        """The shape of a block that holds a piece."""
        return "(SEQUENCES, 1)" if is_scalar else f"(SEQUENCES, {self.columns(piece.width)})"

    @abstractmethod
    def columns(self, width: int) -> str:
        """The number of columns of a block for pieces of a width."""

    # ---- equations ----

    def write(self, equation: Equation) -> None:
        """Write an equation."""
        name = equation.operation
        if name in OPERATIONS and OPERATIONS[name].elementwise:
            self._elementwise(equation)
        elif name == "product":
            self.product(equation)
        elif name in REDUCTIONS:
            self.reduction(equation)
        elif name in RUNNING:
            self.running(equation)
        elif name in RENAMED:
            self._renamed(equation)
        elif name in CUT:
            self._cut(equation)
        elif name == "concat":
            self._concat(equation)
        elif name == "expand":
            self._expand(equation)
        else:
            raise ValueError(f"the loop has an operation that no kernel computes: {name}")

    def wanted(self, variable: Variable, piece: FeaturePiece) -> bool:
        """Whether a piece of a variable is computed here. Default: yes."""
        return True

    @abstractmethod
    def product(self, equation: Equation) -> None:
        """Write a product of a value with a constant matrix."""

    @abstractmethod
    def reduction(self, equation: Equation) -> None:
        """Write a sum, mean or maximum of a value's features."""

    @abstractmethod
    def running(self, equation: Equation) -> None:
        """Write a running sum of a value's features."""

    def _elementwise(self, equation: Equation) -> None:
        result = equation.results[0]
        for piece in self.pieces.of(result):
            if self.wanted(result, piece):
                operands = [self.value(operand, piece) for operand in equation.operands]
                self.give(result, piece, expression(equation, operands))

    def _renamed(self, equation: Equation) -> None:
        result = equation.results[0]
        for piece in self.pieces.of(result):
            if self.wanted(result, piece):
                self.hold(result, piece, self.value(equation.operands[0], piece))

    def _cut(self, equation: Equation) -> None:
        begin = 0
        for result in equation.results:
            for piece in self.pieces.of(result):
                if self.wanted(result, piece):
                    whole = FeaturePiece(begin + piece.offset, piece.width)
                    self.hold(result, piece, self.value(equation.operands[0], whole))
            begin += self.pieces.width(result)

    def _concat(self, equation: Equation) -> None:
        result, begin = equation.results[0], 0
        for operand in equation.operands:
            assert isinstance(operand, Variable)
            width = self.pieces.width(operand)
            for piece in self.pieces.of(result):
                if begin <= piece.offset < begin + width and self.wanted(result, piece):
                    part = FeaturePiece(piece.offset - begin, piece.width)
                    self.hold(result, piece, self._row(self.value(operand, part), operand, part))
            begin += width

    def _row(self, name: str, operand: Variable, piece: FeaturePiece) -> str:
        """A constant's piece with a row for each sequence, as that of a value of the loop."""
        if operand in self.pieces.varying:
            return name
        return f"tl.broadcast_to({name}, {self.shape(piece, False)})"

    def _expand(self, equation: Equation) -> None:
        (operand,), result = equation.operands, equation.results[0]
        for piece in self.pieces.of(result):
            if self.wanted(result, piece):
                shape = self.shape(piece, not result.shape)
                if isinstance(operand, Variable):
                    self.give(result, piece, f"tl.broadcast_to({self.value(operand, FeaturePiece(0, 1))}, {shape})")
                else:
                    self.give(result, piece, f"tl.full({shape}, {literal(operand)}, tl.float32)")


def matrix_parts(pieces: Pieces, equation: Equation) -> list[tuple[FeaturePiece, list[tuple[FeaturePiece, int, int]]]]:
    """For each piece of a product's result the pieces of its left operand, and where the part of the matrix begins.

    Returns:
        For each piece of the result: itself, and triples of a left piece, the offset of the first element of the part
        of the matrix that joins both, and the columns of a whole row of the matrix.
    """
    left, right = equation.variables
    rows, columns = pieces.shape(right)[-2:]
    parts: list[tuple[FeaturePiece, list[tuple[FeaturePiece, int, int]]]] = []
    for piece in pieces.of(equation.results[0]):
        head, column = divmod(piece.offset, columns)
        begin = rows * head
        among = [each for each in pieces.of(left) if begin <= each.offset < begin + rows]
        parts.append(
            (piece, [(each, (head * rows + each.offset - begin) * columns + column, columns) for each in among])
        )
    return parts


def widths(pieces: Pieces, variables: Sequence[Variable]) -> list[int]:
    """The widths of all pieces of some variables, each once, from the smallest."""
    return sorted({piece.width for variable in variables if variable.shape for piece in pieces.of(variable)})
