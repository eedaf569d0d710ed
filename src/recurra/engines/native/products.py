"""Products of rows and matrices, with equations that they absorb: sums begin with a bias, results are split."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from recurra.program import OPERATIONS, Equation, Variable


class EquationGroup(NamedTuple):
    """An equation, or a product with the equations that it absorbs.

    Attributes:
        equation: the equation; for a product, the product itself.
        results: the variables that it computes.
        reads: the variables that it reads.
        inits: for each result of a product, the variable that its sums begin with (None for zero), and the variables
            whose widths add up to the first column of that variable.
    """

    equation: Equation
    results: tuple[Variable, ...]
    reads: tuple[Variable, ...]
    inits: tuple[tuple[Variable | None, tuple[Variable, ...]], ...] = ()


@dataclass
class _Absorbed:
    results: tuple[Variable, ...]
    inits: list[tuple[Variable | None, tuple[Variable, ...]]]
    taken: list[Equation] = field(default_factory=list)


def equation_groups(
    equations: Sequence[Equation],
    readers: Mapping[Variable, Sequence[Equation]],
    roots: Collection[Variable],
    ready: Callable[[Variable], bool],
) -> list[EquationGroup]:
    """The equations of a stage in groups, in an order in which they can run.

    Args:
        equations: of the stage.
        readers: the equations that read each variable, in any stage.
        roots: variables that must be computed under their own names.
        ready: whether a variable is available before the stage begins, as whole vectors.
    """
    here = {id(equation) for equation in equations}
    taken: set[int] = set()
    absorbing = []
    for equation in equations:
        if equation.operation != "product" or len(equation.variables[0].shape) != 1:
            continue
        absorbed = _absorb(equation, readers, roots, ready, here)
        taken.update(id(other) for other in absorbed.taken)
        absorbing.append((equation, absorbed))
    products = {id(equation): absorbed for equation, absorbed in absorbing}
    groups = []
    for equation in equations:
        if id(equation) in taken:
            continue
        if id(equation) in products:
            absorbed = products[id(equation)]
            begins = tuple(init for init, _ in absorbed.inits if init is not None)
            reads = (*equation.variables, *begins)
            groups.append(EquationGroup(equation, absorbed.results, reads, tuple(absorbed.inits)))
        else:
            groups.append(EquationGroup(equation, equation.results, equation.variables))
    return groups


def sink(
    before: Sequence[EquationGroup],
    step: Sequence[EquationGroup],
    loop: Sequence[Equation],
    readers: Mapping[Variable, Sequence[Equation]],
    roots: Collection[Variable],
) -> tuple[list[EquationGroup], list[EquationGroup]]:
    """The groups that stay ahead of the loop, and the elementwise ones that move into it, as the loop alone reads them.

    The beginning of a product's sums stays ahead of the loop, as one whole value.

    Args:
        before: the groups of the stage ahead of the loop.
        step: the groups of the loop.
        loop: the equations of the loop.
        readers: the equations that read each variable, in any stage.
        roots: variables that must be computed under their own names.
    """
    in_step = {id(equation) for equation in loop}
    begins = {init for group in step for init, _ in group.inits if init is not None}
    stays: list[EquationGroup] = []
    sunk: list[EquationGroup] = []
    for group in reversed(before):
        operation = OPERATIONS.get(group.equation.operation)
        if (
            operation is not None
            and operation.elementwise
            and not any(result in begins or result in roots for result in group.results)
            and all(id(reader) in in_step for result in group.results for reader in readers.get(result, ()))
        ):
            sunk.append(group)
            in_step.add(id(group.equation))
        else:
            stays.append(group)
    return stays[::-1], sunk[::-1]


def _absorb(
    product: Equation,
    readers: Mapping[Variable, Sequence[Equation]],
    roots: Collection[Variable],
    ready: Callable[[Variable], bool],
    here: Collection[int],
) -> _Absorbed:
    """The equations that a product can absorb: an addition to all of it, a split, an addition to each part."""

    def only_reader(variable: Variable) -> Equation | None:
        others = readers.get(variable, ())
        return others[0] if len(others) == 1 and variable not in roots and id(others[0]) in here else None

    def added(variable: Variable) -> tuple[Equation, Variable] | None:
        reader = only_reader(variable)
        if reader is None or reader.operation != "add" or len(reader.variables) != 2:
            return None
        first, second = reader.variables
        other = second if first == variable else first
        return (reader, other) if first != second and other.shape == variable.shape and ready(other) else None

    absorbed = _Absorbed((product.results[0],), [(None, ())])
    addition = added(product.results[0])
    if addition is not None:
        absorbed.taken.append(addition[0])
        absorbed.results, absorbed.inits = addition[0].results, [(addition[1], ())]
    reader = only_reader(absorbed.results[0])
    if reader is not None and reader.operation in ("split", "partition"):
        init = absorbed.inits[0][0]
        absorbed.taken.append(reader)
        absorbed.results = reader.results
        absorbed.inits = [(init, reader.results[:number]) for number in range(len(reader.results))]
        if init is None:
            _absorb_parts(absorbed, added)
    return absorbed


def _absorb_parts(absorbed: _Absorbed, added: Callable[[Variable], tuple[Equation, Variable] | None]) -> None:
    results = list(absorbed.results)
    for number, variable in enumerate(absorbed.results):
        addition = added(variable)
        if addition is not None:
            absorbed.taken.append(addition[0])
            results[number] = addition[0].results[0]
            absorbed.inits[number] = (addition[1], ())
        else:
            absorbed.inits[number] = (None, ())
    absorbed.results = tuple(results)
