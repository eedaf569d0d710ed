"""The sizes of a layer that follow from the shapes of its arrays; the equation that cannot hold where none do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from recurra.conversion.arrays import RoleArrays
from recurra.errors import RecurraError
from recurra.program import HIDDEN, INPUT, PROJ, Program, Size, Sizes
from recurra.program.sizes import Shape, shape_text

_SYMBOLS = (INPUT, HIDDEN, PROJ)


class _Extent(NamedTuple):
    """One dimension of an array: its size in symbols, and its number of elements."""

    label: str
    size: Size
    number: int

    def __str__(self) -> str:
        return f"{self.number} = {self.size} of {self.label}"


def solved_sizes(program: Program, scan: RoleArrays) -> Sizes:
    """The sizes that follow from the shapes of a scan's arrays.

    Sizes that are one symbol, as in (4*hidden, hidden), come first: a wrong array is then refused by its own name.

    Raises:
        RecurraError: an array has another number of dimensions, or a size does not follow; the message names the
            equations that it stands in.
    """
    dimensions: list[_Extent] = []
    for parameter in program.parameters:
        item = scan[parameter.name]
        if len(parameter.shape) != len(item.shape):
            raise item.mismatch(shape_text(parameter.shape))
        dimensions += [_Extent(item.label, *pair) for pair in zip(parameter.shape, item.shape, strict=True)]
    dimensions.sort(key=lambda dimension: dimension.size not in _SYMBOLS)
    sizes = _solved(dimensions)
    for symbol in ("input", "hidden"):
        if symbol not in sizes:
            raise RecurraError(_unsolved(symbol, program.name, dimensions, sizes))
    return Sizes(**sizes)


def _solved(dimensions: Iterable[_Extent]) -> dict[str, int]:
    """The symbols' numbers: those that an equation gives alone, then those that several give together."""
    sizes: dict[str, int] = {}
    rows: list[Size] = []  # sums that are 0
    for dimension in dimensions:
        rows.append(dimension.size - Size.constant(dimension.number))
    for _ in _SYMBOLS:
        for row in rows:
            _note(_in_numbers(row, sizes), sizes)
    reduced: list[Size] = []
    for row in rows:  # each further row loses the symbols that the rows before begin with
        left = _in_numbers(row, sizes)
        for other in reduced:
            symbol = other.symbols[0]
            left = left - other * Fraction(left.factor(symbol), other.factor(symbol))
        if left.symbols:
            reduced.append(left)
    for row in reversed(reduced):
        _note(_in_numbers(row, sizes), sizes)
    return sizes


def _in_numbers(row: Size, sizes: Mapping[str, int]) -> Size:
    return row.substitute({symbol: Size.constant(number) for symbol, number in sizes.items()})


def _note(row: Size, sizes: dict[str, int]) -> None:
    """Note the number of the only symbol of a sum that is 0, if it is a positive whole number."""
    value = _value(row)
    if value is not None and value.denominator == 1 and value > 0:
        sizes[row.symbols[0]] = int(value)


def _value(row: Size) -> Fraction | None:
    """The number that makes a sum of one symbol 0; None where it has several."""
    return -Fraction(row.factor(""), row.factor(row.symbols[0])) if len(row.symbols) == 1 else None


def _unsolved(symbol: str, cell: str, dimensions: Iterable[_Extent], sizes: Mapping[str, int]) -> str:
    """The message that a size does not follow: the equation that cannot hold, or those that leave it open."""
    equations = [dimension for dimension in dimensions if symbol in dimension.size.symbols]
    given = ", ".join(f"{name}={number}" for name, number in sizes.items())
    for dimension in equations:
        value = _value(_in_numbers(dimension.size - Size.constant(dimension.number), sizes))
        if value is not None:
            known = f" with {given}" if given else ""
            return f"cell {cell!r}: {dimension} cannot hold{known}: {symbol} would be {value}"
    if not equations:
        return f"the {symbol} size of cell {cell!r} does not follow: no parameter's shape depends on it"
    shown = "; ".join(map(str, equations[:3]))
    return f"the {symbol} size of cell {cell!r} does not follow from {shown}"


def broken_equations(symbols: Shape, numbers: tuple[int, ...], found: tuple[int, ...]) -> str:
    """The equations that an array breaks, as text; empty where it has another number of dimensions.

    Args:
        symbols: the shape that it must have, in symbols.
        numbers: the same in numbers.
        found: the shape that it has.
    """
    if len(numbers) != len(found):
        return ""
    dimensions = zip(symbols, numbers, found, strict=True)
    broken = [f"{wrong} = {size}" for size, number, wrong in dimensions if number != wrong and size.symbols]
    return f"{' and '.join(broken)} cannot hold" if broken else ""
