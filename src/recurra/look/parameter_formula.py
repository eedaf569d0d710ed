"""The number of a cell's parameters as a formula in the sizes of a layer: ``4*hidden*(input + hidden + 2)``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import product

from recurra.program import Program, Size

_Monomial = tuple[str, ...]  # the symbols that are multiplied, sorted; the empty one is the constant term
_Factors = Mapping[_Monomial, Fraction]


def parameter_formula(program: Program) -> str:
    """The number of all parameters of a program, in Python's notation; ``0`` where it has none.

    Args:
        program: the traced cell.
    """
    total: Counter[_Monomial] = Counter()
    for parameter in program.parameters:
        total.update(_elements(parameter.shape))
    return _written({monomial: Fraction(factor) for monomial, factor in total.items() if factor})


def _elements(shape: Iterable[Size]) -> dict[_Monomial, Fraction]:
    """The number of elements of a shape."""
    found: dict[_Monomial, Fraction] = {}
    for terms in product(*(size.terms for size in shape)):
        monomial = tuple(sorted(symbol for symbol, _ in terms if symbol))
        found[monomial] = found.get(monomial, Fraction()) + math.prod((f for _, f in terms), start=Fraction(1))
    return found


def _written(total: _Factors) -> str:
    """A polynomial; the symbol that most of its terms have stands outside of a bracket."""
    often = Counter(symbol for monomial in total for symbol in sorted(set(monomial)))
    if not often:
        return str(total.get((), 0))
    symbol = max(sorted(often), key=lambda each: often[each])
    inside = {_without(symbol, monomial): factor for monomial, factor in total.items() if symbol in monomial}
    outside = {monomial: factor for monomial, factor in total.items() if symbol not in monomial}
    common = math.gcd(*(factor.numerator for factor in inside.values()))
    below = math.lcm(*(factor.denominator for factor in inside.values()))
    rest = {monomial: factor * below / common for monomial, factor in inside.items()}
    factors = [str(common)] * (common != 1) + [symbol]
    if rest != {(): 1}:
        factors.append(f"({_sum(rest)})" if len(rest) > 1 else _sum(rest))
    text = "*".join(factors) + (f"/{below}" if below != 1 else "")
    return f"{text} + {_written(outside)}" if outside else text


def _without(symbol: str, monomial: _Monomial) -> _Monomial:
    """A monomial divided by one of its symbols."""
    place = monomial.index(symbol)
    return (*monomial[:place], *monomial[place + 1 :])


def _sum(terms: _Factors) -> str:
    """The terms, all with whole factors, one after the other; long products first, the constant last."""
    texts = []
    for monomial, factor in sorted(terms.items(), key=lambda term: (-len(term[0]), _order(term[0]))):
        texts.append("*".join([str(factor)] * (factor != 1 or not monomial) + list(monomial)))
    return " + ".join(texts)


def _order(monomial: _Monomial) -> tuple[tuple[bool, str], ...]:
    """The input before the other symbols, as shapes are printed."""
    return tuple((symbol != "input", symbol) for symbol in monomial)
