"""separate: sums outer products apart, where their right operands would be put side by side for the sum alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from recurra.program import Equation, Variable

_CUTS = ("split", "partition")


def separated(equations: Sequence[Equation], roots: Collection[Variable]) -> list[Equation]:
    """The equations, with a sum for each part instead of one sum of a concatenation that is cut again.

    ``outer(x, concat(a, b))``, cut into the gradients of two matrices, is ``outer(x, a)`` and ``outer(x, b)``: the
    same numbers, and no copies. It stays one sum where something else reads the concatenation.

    Args:
        equations: of a backward pass, in an order in which each can be computed.
        roots: variables that are wanted under their own names.
    """
    readers: dict[Variable, list[Equation]] = {}
    for equation in equations:
        for variable in dict.fromkeys(equation.variables):
            readers.setdefault(variable, []).append(equation)
    cuts: dict[int, list[Equation]] = {}  # what stands in place of a cut
    gone: set[int] = set()
    for concat in equations:
        result = concat.results[0]
        sums = readers.get(result, [])
        if concat.operation == "concat" and sums and result not in roots:
            found = [_cut_of(total, concat, readers, roots) for total in sums]
            if all(cut is not None for cut in found):
                gone.update({id(concat), *map(id, sums)})
                cuts.update(
                    (id(cut), _apart(total, concat, cut)) for total, cut in zip(sums, found, strict=True) if cut
                )
    return [each for equation in equations if id(equation) not in gone for each in cuts.get(id(equation), [equation])]


def _cut_of(
    total: Equation, concat: Equation, readers: Mapping[Variable, Sequence[Equation]], roots: Collection[Variable]
) -> Equation | None:
    """The equation that cuts a sum of outer products into the parts of a concatenation; None if there is none."""
    if total.operation != "outer" or total.operands[1] != concat.results[0] or total.operands[0] == total.operands[1]:
        return None
    reading = readers.get(total.results[0], ())
    if total.results[0] in roots or len(reading) != 1 or reading[0].operation not in _CUTS:
        return None
    widths = [variable.shape for variable in concat.variables]
    cut = [variable.shape[-1:] for variable in reading[0].results]
    return reading[0] if len(widths) == len(concat.operands) and widths == cut else None


def _apart(total: Equation, concat: Equation, cut: Equation) -> list[Equation]:
    left = total.operands[0]
    return [
        Equation("outer", (left, part), (result,), total.attributes)
        for part, result in zip(concat.operands, cut.results, strict=True)
    ]
