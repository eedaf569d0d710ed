"""Sizes in symbols: linear forms such as ``4*hidden``, ``input + hidden`` or ``hidden/2``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from recurra.errors import EquationError, ProgramError

if TYPE_CHECKING:
    from fractions import Fraction

_TERM = re.compile(r"(?:(\d{1,9})|(?:(\d{1,9})\*)?([a-z][a-z_]{0,31}))(?:/(\d{1,9}))?")
_MAX_TERMS = 4  # three symbols and a number
_MAX_FACTOR = 10**18

Factor: TypeAlias = "int | Fraction"  # a Fraction only where it is not whole: most programs have none


class Sizes(NamedTuple):
    """The numbers that the symbols of a program's sizes stand for.

    Attributes:
        input: features of the input.
        hidden: features that the cell's equations call `hidden`.
        proj: features of a projected first state; 0 where there is no projection.
    """

    input: int
    hidden: int
    proj: int = 0


def ratio(above: Factor, below: Factor) -> Factor:
    """One factor over another."""
    dividend, divisor = above.numerator * below.denominator, above.denominator * below.numerator
    if dividend % divisor == 0:
        return dividend // divisor
    from fractions import Fraction  # late: most programs never need it

    return Fraction(dividend, divisor)


@dataclass(frozen=True)
class Size:
    """A sum of symbols with rational factors; the symbol ``""`` stands for the constant term."""

    terms: tuple[tuple[str, Factor], ...]

    @staticmethod
    def of(factors: Mapping[str, Factor]) -> Size:
        """The size with these factors by symbol; zero factors are dropped.

        Raises:
            ProgramError: a factor has more than 18 digits.
        """
        if any(factor.denominator > _MAX_FACTOR or abs(factor.numerator) > _MAX_FACTOR for factor in factors.values()):
            raise ProgramError("a size has a factor of more than 18 digits")
        whole = {symbol: ratio(*factor.as_integer_ratio()) for symbol, factor in factors.items() if factor}
        return Size(tuple(sorted(whole.items())))

    @staticmethod
    def symbol(name: str) -> Size:
        """The size that is one symbol, such as ``hidden``."""
        return Size(((name, 1),))

    @staticmethod
    def constant(value: int) -> Size:
        """The size that is a number."""
        return Size.of({"": value})

    def __add__(self, other: Size) -> Size:
        factors = dict(self.terms)
        for symbol, factor in other.terms:
            factors[symbol] = factors.get(symbol, 0) + factor
        return Size.of(factors)

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __mul__(self, factor: Factor) -> Size:
        return Size.of({symbol: f * factor for symbol, f in self.terms})

    def __truediv__(self, divisor: Factor) -> Size:
        return Size.of({symbol: ratio(factor, divisor) for symbol, factor in self.terms})

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that occur, the constant's ``""`` left out."""
        return tuple(symbol for symbol, _ in self.terms if symbol)

    def factor(self, symbol: str) -> Factor:
        """The factor of a symbol, 0 where it does not occur."""
        return dict(self.terms).get(symbol, 0)

    def substitute(self, values: Mapping[str, Size]) -> Size:
        """The size with each symbol that has a value replaced by it."""
        if not any(symbol in values for symbol, _ in self.terms):
            return self
        total = Size(())
        for symbol, factor in self.terms:
            total = total + values.get(symbol, Size(((symbol, 1),))) * factor
        return total

    def value(self, sizes: Sizes) -> int:
        """The number that this size is, for these numbers of the symbols.

        Raises:
            EquationError: the result is not a whole number, or is negative.
        """
        above, below = 0, 1
        for symbol, factor in self.terms:
            numerator, denominator = factor.as_integer_ratio()
            above = above * denominator + numerator * (getattr(sizes, symbol) if symbol else 1) * below
            below *= denominator
        if above % below or above < 0:
            given = ", ".join(f"{symbol}={getattr(sizes, symbol)}" for symbol in self.symbols)
            fact = f"size {self} is not a whole number for {given}: it would be {ratio(above, below)}"
            is_part = len(self.terms) == len(self.symbols) == 1 and self.terms[0][1].denominator > 1
            fix = f"; {self.symbols[0]} must be a multiple of {self.terms[0][1].denominator}" if is_part else ""
            raise EquationError(fact + fix)
        return above // below

    def __str__(self) -> str:
        texts = []
        for symbol, factor in sorted(self.terms, key=lambda term: (term[0] == "", term[0] != "input", term[0])):
            name = symbol if not symbol.startswith("?") else "·"
            if not symbol:
                text = str(factor)
            elif factor == 1:
                text = name
            elif factor.numerator == 1:
                text = f"{name}/{factor.denominator}"
            elif factor.denominator == 1:
                text = f"{factor}*{name}"
            else:
                text = f"{factor.numerator}*{name}/{factor.denominator}"
            texts.append(text)
        return " + ".join(texts) or "0"

    @staticmethod
    def parse(text: str) -> Size:
        """The size that ``str`` printed.

        Raises:
            ProgramError: the text is not a size.
        """
        parts = text.split(" + ") if len(text) <= 200 else []
        factors: dict[str, Factor] = {}
        for part in parts:
            match = _TERM.fullmatch(part)
            if match is None or int(match[4] or 1) == 0:
                break
            symbol = match[3] or ""
            factor = ratio(int(match[1] or match[2] or 1), int(match[4] or 1))
            factors[symbol] = factors.get(symbol, 0) + factor
        else:
            if 0 < len(parts) <= _MAX_TERMS:
                return Size.of(factors)
        raise ProgramError(f"{text[:80]!r} is not a size such as '4*hidden' or 'input + hidden'")


Shape = tuple[Size, ...]

INPUT = Size.symbol("input")
HIDDEN = Size.symbol("hidden")
PROJ = Size.symbol("proj")


def shape_text(shape: Shape) -> str:
    """The printed form of a shape: ``(4*hidden, input)``, ``(hidden)``, ``scalar``."""
    return "(" + ", ".join(map(str, shape)) + ")" if shape else "scalar"
