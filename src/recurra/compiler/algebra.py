"""Polynomial forms of a program's new states: equal equations have equal forms, however they are written.

A vector is a row of segments, each a polynomial over *atoms*: an input or state, a parameter, a product with a
parameter, a function of another polynomial. Stacked gates are cut, sums and products are multiplied out, matrices are
traced back to rectangles of parameters. Values computed by other operations (norms, masks, heads …) have no form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from recurra.program import Equation, Operand, Program, Size, Variable

FUNCTIONS = ("sigmoid", "tanh", "relu")
_MOST_TERMS, _MOST_FACTORS, _DEEPEST = 32, 4, 6  # far more than known cells need; they keep large programs cheap

Range = tuple[Size, Size]  # start and size
Polynomial = int  # a number in an `Algebra`; equal polynomials have the same number
T = TypeVar("T")

_NOTHING = Size(()), Size(())


@dataclass(frozen=True)
class Block:
    """A part of a parameter: a rectangle of a matrix, or a range of a vector.

    Attributes:
        parameter: the parameter.
        rows: the rows of the matrix as it is multiplied, ``x @ block``; empty for a vector.
        columns: the columns of that matrix, or the range of the vector.
        transposed: whether the matrix as it is multiplied is the transposed parameter.
    """

    parameter: Variable
    rows: Range
    columns: Range
    transposed: bool = False

    def transpose(self) -> Block:
        """The transposed matrix."""
        return Block(self.parameter, self.columns, self.rows, not self.transposed)


@dataclass(frozen=True)
class InputOrState:
    """An atom: the input, numbered -1, or a state by its number."""

    number: int


@dataclass(frozen=True)
class Given:
    """An atom: a part of a parameter that is a vector."""

    block: Block


@dataclass(frozen=True)
class Product:
    """An atom: a vector times a part of a parameter."""

    left: Polynomial
    block: Block


@dataclass(frozen=True)
class Function:
    """An atom: a function of a polynomial, elementwise."""

    name: str
    argument: Polynomial


Atom = InputOrState | Given | Product | Function
Terms = frozenset[tuple[tuple[int, ...], float]]  # the numbers of a term's atoms, ascending, and its factor
Vector = tuple[tuple[Size, Polynomial], ...]
Matrix = tuple[tuple[Size, Block], ...]  # blocks side by side


class _Formless(Exception):  # noqa: N818  (it is no error)
    """A value has no form."""


class Algebra:
    """The forms of a program's values.

    Attributes:
        program: the program.
        atoms: all atoms, by number.
        terms: the terms of each polynomial, by number.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.atoms: list[Atom] = []
        self.terms: list[Terms] = []
        self._numbers: dict[Atom, int] = {}
        self._polynomials: dict[Terms, Polynomial] = {}
        self._depths: list[int] = []
        self._ranges: dict[tuple[Polynomial, Size, Size], Polynomial] = {}
        self._vectors: dict[Variable, Vector] = {}
        self._matrices: dict[Variable, Matrix] = {}
        for number, variable in enumerate((program.input, *program.states), -1):
            self._vectors[variable] = ((variable.shape[0], self._of_atom(InputOrState(number))),)
        for parameter in program.parameters:
            if len(parameter.shape) == 1:
                block = Block(parameter, _NOTHING, _whole(parameter.shape[0]))
                self._vectors[parameter] = ((parameter.shape[0], self._of_atom(Given(block))),)
            elif len(parameter.shape) == 2:
                rows, columns = parameter.shape
                self._matrices[parameter] = ((columns, Block(parameter, _whole(rows), _whole(columns))),)
        for equation in program.equations:
            with suppress(_Formless):
                self._add(equation)

    def polynomial(self, variable: Variable) -> Polynomial | None:
        """The polynomial of a vector; None where it has no form, or one of several segments."""
        segments = self._vectors.get(variable, ())
        return segments[0][1] if len(segments) == 1 else None

    def _add(self, equation: Equation) -> None:
        """Add the forms of an equation's results."""
        operation, operands, results = equation.operation, equation.operands, equation.results
        if operation == "transpose":
            (_, block), *others = self._matrix(operands[0])
            if others:
                raise _Formless
            self._matrices[results[0]] = ((block.rows[1], block.transpose()),)
        elif operation in ("split", "partition", "concat") and operands[0] in self._matrices:
            parts = [part for operand in operands for part in self._matrix(operand)]
            widths = [result.shape[-1] for result in results]
            self._matrices.update(zip(results, _cut(parts, widths, _columns), strict=True))
        elif operation in ("split", "partition", "concat"):
            segments = [segment for operand in operands for segment in self._vector(operand)]
            widths = [result.shape[-1] for result in results]
            self._vectors.update(zip(results, _cut(segments, widths, self._range), strict=True))
        else:
            self._vectors[results[0]] = self._computed(operation, operands)

    def _computed(self, operation: str, operands: Sequence[Operand]) -> Vector:
        if operation in FUNCTIONS:
            argument = self._vector(operands[0])
            return tuple((size, self._of_atom(Function(operation, p))) for size, p in argument)
        if operation in ("add", "subtract", "multiply", "divide", "negative"):
            return self._arithmetic(operation, operands)
        if operation == "product":
            return self._product(self._vector(operands[0]), self._matrix(operands[1]))
        raise _Formless

    def _vector(self, operand: Operand) -> Vector:
        if not isinstance(operand, Variable) or operand not in self._vectors:
            raise _Formless
        return self._vectors[operand]

    def _matrix(self, operand: Operand) -> Matrix:
        if not isinstance(operand, Variable) or operand not in self._matrices:
            raise _Formless
        return self._matrices[operand]

    def _arithmetic(self, operation: str, operands: Sequence[Operand]) -> Vector:
        if operation == "negative":
            return self._combined(self._times, operands[0], -1.0)
        if operation == "divide":
            divisor = operands[1]
            if isinstance(divisor, Variable) or divisor == 0:
                raise _Formless
            return self._combined(self._times, operands[0], 1 / divisor)
        combine = {"add": self._plus, "subtract": self._minus, "multiply": self._times}[operation]
        return self._combined(combine, *operands)

    def _combined(self, combine: Callable[[int, int], int], a: Operand, b: Operand) -> Vector:
        """Combine two vectors element by element, in segments of the same sizes; a number meets every segment."""
        if not isinstance(a, Variable):
            return tuple((size, combine(self._number(a), p)) for size, p in self._vector(b))
        if not isinstance(b, Variable):
            return tuple((size, combine(p, self._number(b))) for size, p in self._vector(a))
        ours, theirs = self._vector(a), self._vector(b)
        ours = _joined(_cut(ours, [size for size, _ in theirs], self._range))
        theirs = _joined(_cut(theirs, [size for size, _ in ours], self._range))
        return tuple((size, combine(p, q)) for (size, p), (_, q) in zip(ours, theirs, strict=True))

    def _product(self, left: Vector, matrix: Matrix) -> Vector:
        """The product: each segment of the vector times its rows of the matrix."""
        segments = []
        for width, block in matrix:
            total, start = self._number(0.0), Size(())
            for size, p in left:
                part = replace(block, rows=(block.rows[0] + start, size))
                total = self._plus(total, self._of_atom(Product(p, part)))
                start = start + size
            segments.append((width, total))
        return tuple(segments)

    def _range(self, polynomial: Polynomial, start: Size, size: Size) -> Polynomial:
        """The polynomial of a range of a vector's elements."""
        key = polynomial, start, size
        if key not in self._ranges:
            total = self._number(0.0)
            for atoms, factor in self.terms[polynomial]:
                term = self._number(factor)
                for number in atoms:
                    term = self._times(term, self._of_atom(self._range_of_atom(self.atoms[number], start, size)))
                total = self._plus(total, term)
            self._ranges[key] = total
        return self._ranges[key]

    def _range_of_atom(self, atom: Atom, start: Size, size: Size) -> Atom:
        if isinstance(atom, InputOrState):
            raise _Formless
        if isinstance(atom, Function):
            return Function(atom.name, self._range(atom.argument, start, size))
        return replace(atom, block=_columns(atom.block, start, size))

    def _of_atom(self, atom: Atom) -> Polynomial:
        number = self._numbers.setdefault(atom, len(self.atoms))
        if number == len(self.atoms):
            inner = atom.left if isinstance(atom, Product) else atom.argument if isinstance(atom, Function) else None
            self.atoms.append(atom)
            self._depths.append(0 if inner is None else 1 + self._depth(self.terms[inner]))
        return self._interned({(number,): 1.0})

    def _depth(self, terms: Terms) -> int:
        return max((self._depths[number] for atoms, _ in terms for number in atoms), default=0)

    def _number(self, value: float) -> Polynomial:
        return self._interned({(): value})

    def _plus(self, a: Polynomial, b: Polynomial) -> Polynomial:
        found = dict(self.terms[a])
        for atoms, factor in self.terms[b]:
            found[atoms] = found.get(atoms, 0.0) + factor
        return self._interned(found)

    def _minus(self, a: Polynomial, b: Polynomial) -> Polynomial:
        return self._plus(a, self._times(b, self._number(-1.0)))

    def _times(self, a: Polynomial, b: Polynomial) -> Polynomial:
        found: dict[tuple[int, ...], float] = {}
        for ours, factor in self.terms[a]:
            for theirs, other in self.terms[b]:
                atoms = tuple(sorted((*ours, *theirs)))
                found[atoms] = found.get(atoms, 0.0) + factor * other
        return self._interned(found)

    def _interned(self, factors: dict[tuple[int, ...], float]) -> Polynomial:
        terms = frozenset((atoms, factor) for atoms, factor in factors.items() if factor)
        if (
            len(terms) > _MOST_TERMS
            or any(len(atoms) > _MOST_FACTORS or not math.isfinite(factor) for atoms, factor in terms)
            or self._depth(terms) > _DEEPEST
        ):
            raise _Formless
        if terms not in self._polynomials:
            self._polynomials[terms] = len(self.terms)
            self.terms.append(terms)
        return self._polynomials[terms]


def _whole(size: Size) -> Range:
    return Size(()), size


def _columns(block: Block, start: Size, size: Size) -> Block:
    return replace(block, columns=(block.columns[0] + start, size))


def _cut(
    segments: Sequence[tuple[Size, T]], widths: Iterable[Size], part: Callable[[T, Size, Size], T]
) -> list[tuple[tuple[Size, T], ...]]:
    """Cut segments into pieces of these widths; ``part`` cuts a range out of a segment."""
    rest = list(segments)
    pieces = []
    for width in widths:
        piece = []
        while width.terms:
            if not rest:
                raise _Formless
            size, held = rest.pop(0)
            over = size - width
            if _is_positive(over):
                rest.insert(0, (over, part(held, width, over)))
                size, held = width, part(held, Size(()), width)
            piece.append((size, held))
            width = width - size
            if width.terms and not _is_positive(width):
                raise _Formless
        pieces.append(tuple(piece))
    return pieces


def _joined(pieces: Iterable[tuple[tuple[Size, T], ...]]) -> tuple[tuple[Size, T], ...]:
    return tuple(segment for piece in pieces for segment in piece)


def _is_positive(size: Size) -> bool:
    return bool(size.terms) and all(factor > 0 for _, factor in size.terms)
