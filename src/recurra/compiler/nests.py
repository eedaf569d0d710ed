"""Nests of operations: the results that are parts of a larger sum or product, and the terms of a nest of sums."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from recurra.program import Equation, Operand, Variable

SUMS = ("add", "subtract")


def parts(
    equations: Iterable[Equation], candidates: Iterable[Variable], into: Callable[[Variable], Collection[str]]
) -> set[Variable]:
    """The candidates that are read once, by an operation that they may be a part of.

    Args:
        equations: all equations that may read a candidate.
        candidates: results that may be parts, because nothing but equations reads them.
        into: gives, for a candidate, the operations that it may be a part of.
    """
    readers: dict[Variable, list[str]] = {}
    for equation in equations:
        for variable in equation.variables:
            readers.setdefault(variable, []).append(equation.operation)
    read_once = {variable: names[0] for variable, names in readers.items() if len(names) == 1}
    return {variable for variable in candidates if variable in read_once and read_once[variable] in into(variable)}


def link(
    operand: Operand, root: Variable, makers: Mapping[Variable, Equation], inner: Collection[Variable]
) -> Equation | None:
    """The equation that computes an operand of the nest with this root; None where the operand is no part of it."""
    if isinstance(operand, Variable) and (operand in inner or operand == root):
        return makers[operand]
    return None


def terms_of(
    root: Variable, makers: Mapping[Variable, Equation], inner: Collection[Variable]
) -> list[tuple[Operand, float]]:
    """The terms that a nest of additions and subtractions adds up, from left to right, each with its sign.

    Args:
        root: the result of the nest.
        makers: for each variable of the nest, the equation that computes it.
        inner: the results that are parts of a nest.
    """
    terms: list[tuple[Operand, float]] = []
    waiting: list[tuple[Operand, float]] = [(root, 1.0)]
    while waiting:
        operand, sign = waiting.pop()
        maker = link(operand, root, makers, inner)
        if maker is not None and maker.operation in SUMS:
            first, second = maker.operands
            waiting += [(second, -sign if maker.operation == "subtract" else sign), (first, sign)]
        else:
            terms.append((operand, sign))
    return terms
