"""Code for the native executor: values, matrices and instructions, as integers that native/code.cpp decodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import recurra._native as _native

OPS = {name: number for number, name in enumerate(_native.operations())}
Space = _native.Space  # where the elements of a value lie
Instruction = _native.Instruction  # kinds of instructions


@dataclass(frozen=True)
class CodeValue:
    """A value of the executor, with its place in memory.

    Attributes:
        number: its position among all values.
        space: the kind of memory that holds it.
        width: elements of one row.
        rows: the number of rows, of a constant.
        index: the number of the parameter, input, output, state, literal or block.
        scalar: whether it is one number in each row, broadcast over features.
    """

    number: int
    space: Space
    width: int
    rows: int = 1
    index: int = -1
    scalar: bool = False


class Columns(NamedTuple):
    """A range of a matrix's columns, taken from a value. If transposed, the value's rows are the matrix's columns."""

    value: CodeValue
    row: int
    column: int
    width: int
    transposed: bool = False

    def cut(self, offset: int, width: int) -> Columns:
        """The range of ``width`` columns from column ``offset`` on."""
        if self.transposed:
            return Columns(self.value, self.row + offset, self.column, width, True)
        return Columns(self.value, self.row, self.column + offset, width)


STAGES = ("once", "before", "step", "after", "sums", "finally")


@dataclass
class Code:
    """The code of one pass, as lowering writes it.

    Attributes:
        lanes: elements of one vector.
        opposite: whether this is a backward pass.
        chunk_rows: the number of rows of a chunk; sums over rows are added up once for each chunk.
        tile_rows: the number of rows that go through a step together.
    """

    lanes: int
    opposite: bool = False
    chunk_rows: int = 1
    tile_rows: int = 1
    parameters: list[tuple[int, int]] = field(default_factory=list)  # rows and width of each
    inputs: list[int] = field(default_factory=list)  # width of each
    outputs: list[int] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    values: list[CodeValue] = field(default_factory=list)
    literals: list[float] = field(default_factory=list)
    matrices: list[list[int]] = field(default_factory=list)
    stages: dict[str, list[list[int]]] = field(default_factory=lambda: {name: [] for name in STAGES})
    results: list[CodeValue] = field(default_factory=list)
    _literals: dict[str, CodeValue] = field(default_factory=dict)

    def value(self, space: Space, width: int, rows: int = 1, index: int = -1, scalar: bool = False) -> CodeValue:
        """Add a value."""
        value = CodeValue(len(self.values), space, width, rows, index, scalar)
        self.values.append(value)
        return value

    def literal(self, number: float) -> CodeValue:
        """The value of a number, added at its first use."""
        key = repr(number)  # tells 0.0 from -0.0, which are equal
        if key not in self._literals:
            self.literals.append(number)
            self._literals[key] = self.value(Space.LITERAL, 1, index=len(self.literals) - 1, scalar=True)
        return self._literals[key]

    def matrix(self, k: int, used: int, parts: Sequence[Columns]) -> int:
        """Add a matrix; ``used`` is 0 at the beginning or end of a call, 1 in each chunk, 2 in each step."""
        words = [k, used, len(parts)]
        for part in parts:
            words += [part.value.number, part.row, part.column, part.width, int(part.transposed)]
        self.matrices.append(words)
        return len(self.matrices) - 1

    def vectors(self, width: int) -> int:
        """The number of vectors in a row of this width."""
        return -(-width // self.lanes)

    def add(self, stage: str, kind: Instruction, rows: int, width: int, words: Iterable[int]) -> None:
        """Add an instruction to a stage."""
        self.stages[stage].append([int(kind), rows, width, *words])

    def words(self) -> list[int]:
        """The code as a list of integers."""
        rows, widths = [rows for rows, _ in self.parameters], [width for _, width in self.parameters]
        words = [self.lanes, int(self.opposite), self.chunk_rows, self.tile_rows]
        for numbers in (rows, widths, self.inputs, self.outputs, self.states):
            words += [len(numbers), *numbers]
        words.append(len(self.values))
        for value in self.values:
            words += [int(value.space), value.width, value.rows, value.index, int(value.scalar)]
        for items in (self.matrices, *(self.stages[name] for name in STAGES)):
            words.append(len(items))
            for item in items:
                words += item
        return [*words, len(self.results), *(value.number for value in self.results)]
