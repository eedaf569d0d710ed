"""Sizes in symbols: linear forms such as ``4*hidden``, ``input + hidden`` or ``hidden/2``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from recurra.errors import EquationError, ProgramError

_TERM = re.compile(r"(?:(\d{1,9})|(?:(\d{1,9})\*)?([a-z][a-z_]{0,31}))(?:/(\d{1,9}))?")
_MAX_TERMS = 4  # three symbols and a number
_MAX_FACTOR = 10**18


@dataclass(frozen=True)
class Size:
    """A sum of symbols with rational factors; the symbol ``""`` stands for the constant term."""

    terms: tuple[tuple[str, Fraction], ...]

    @staticmethod
    def of(factors: Mapping[str, Fraction]) -> Size:
        """The size with these factors by symbol; zero factors are dropped.

        Raises:
            ProgramError: a factor is of numbers so large that no size is.
        """
        if any(factor.denominator > _MAX_FACTOR or abs(factor.numerator) > _MAX_FACTOR for factor in factors.values()):
            raise ProgramError("a size has a factor of more than 18 digits")
        return Size(tuple(sorted((symbol, factor) for symbol, factor in factors.items() if factor)))

    @staticmethod
    def symbol(name: str) -> Size:
        """The size that is one symbol, such as ``hidden``."""
        return Size(((name, Fraction(1)),))

    @staticmethod
    def constant(value: int) -> Size:
        """The size that is a number."""
        return Size.of({"": Fraction(value)})

    def __add__(self, other: Size) -> Size:
        factors = dict(self.terms)
        for symbol, factor in other.terms:
            factors[symbol] = factors.get(symbol, Fraction(0)) + factor
        return Size.of(factors)

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __mul__(self, factor: int | Fraction) -> Size:
        return Size.of({symbol: f * factor for symbol, f in self.terms})

    def __truediv__(self, divisor: int) -> Size:
        return self * Fraction(1, divisor)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that occur, the constant's ``""`` left out."""
        return tuple(symbol for symbol, _ in self.terms if symbol)

    def factor(self, symbol: str) -> Fraction:
        """The factor of a symbol, 0 where it does not occur."""
        return dict(self.terms).get(symbol, Fraction(0))

    def substitute(self, values: Mapping[str, Size]) -> Size:
        """Each symbol that has a value replaced by it."""
        if not any(symbol in values for symbol, _ in self.terms):
            return self
        total = Size(())
        for symbol, factor in self.terms:
            total = total + values.get(symbol, Size(((symbol, Fraction(1)),))) * factor
        return total

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number that this size is, given every symbol's.

        Raises:
            EquationError: the result is not a whole number, or is negative.
        """
        above, below = 0, 1
        for symbol, factor in self.terms:
            numerator, denominator = factor.as_integer_ratio()
            above = above * denominator + numerator * (sizes[symbol] if symbol else 1) * below
            below *= denominator
        if above % below or above < 0:
            given = ", ".join(f"{symbol}={sizes[symbol]}" for symbol in self.symbols)
            raise EquationError(f"size {self} is not a whole number for {given}: it would be {Fraction(above, below)}")
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
        factors: dict[str, Fraction] = {}
        for part in parts:
            match = _TERM.fullmatch(part)
            if match is None or int(match[4] or 1) == 0:
                break
            symbol = match[3] or ""
            factor = Fraction(int(match[1] or match[2] or 1), int(match[4] or 1))
            factors[symbol] = factors.get(symbol, Fraction(0)) + factor
        else:
            if 0 < len(parts) <= _MAX_TERMS:
                return Size.of(factors)
        raise ProgramError(f"{text[:80]!r} is not a size such as '4*hidden' or 'input + hidden'")


Shape = tuple[Size, ...]

INPUT = Size.symbol("input")
HIDDEN = Size.symbol("hidden")
PROJ = Size.symbol("proj")


def shape_text(shape: Shape) -> str:
    """A shape as a reader writes it: ``(4*hidden, input)``, ``(hidden)``, ``scalar``."""
    return "(" + ", ".join(map(str, shape)) + ")" if shape else "scalar"
