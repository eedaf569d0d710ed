"""Values of a loop as pieces: the parts of their features that an equation cuts them into.

Triton's blocks have no slices, and sizes that are powers of two. So no value is cut in a kernel: it is computed, read
and stored in pieces from the beginning. Where a cell splits ``h @ U + x @ W`` into four gates, both terms and their sum
have four pieces, and the product is four products with a part of U's columns each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from recurra.compiler import Schedule
from recurra.program import OPERATIONS, Equation, Operand, Sizes, Variable

RENAMED = ("heads", "flatten", "scalar", "detach")  # these only rename their operand
RUNNING = ("cumsum", "reverse_cumsum")
CUT = ("split", "partition")


class FeaturePiece(NamedTuple):
    """Features of a value.

    Attributes:
        offset: of its first feature.
        width: its number of features.
    """

    offset: int
    width: int


class Pieces:
    """The pieces of every variable of a schedule's loop, at given sizes.

    Args:
        schedule: the schedule.
        sizes: the values of its symbols.
    """

    def __init__(self, schedule: Schedule, sizes: Sizes) -> None:
        self._sizes = sizes
        in_loop = {*schedule.states, *schedule.loop_inputs(), *(v for e in schedule.step for v in e.results)}
        self.varying = frozenset(in_loop)
        self._cuts: dict[Variable, set[int]] = {variable: set() for variable in in_loop}
        passed = list(zip(schedule.states, schedule.next_states, strict=True))
        while self._spread(schedule.step, passed):
            pass

    def width(self, variable: Variable) -> int:
        """The number of features; 1 for a scalar."""
        return variable.width(self._sizes)

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """The shape in numbers."""
        return tuple(size.value(self._sizes) for size in variable.shape)

    def of(self, variable: Variable) -> list[FeaturePiece]:
        """The pieces of a variable of the loop, from the first feature to the last."""
        ends = [0, *sorted(self._cuts[variable]), self.width(variable)]
        return [FeaturePiece(begin, end - begin) for begin, end in pairwise(ends)]

    def _spread(self, equations: Iterable[Equation], passed: Iterable[tuple[Variable, Variable]]) -> bool:
        """Cut each variable where the variables are cut that are computed from it or for it; whether one was cut."""
        before = sum(map(len, self._cuts.values()))
        for state, new in passed:
            self._same((state, new))
        for equation in equations:
            self._spread_over(equation)
        return sum(map(len, self._cuts.values())) > before

    def _spread_over(self, equation: Equation) -> None:
        name, operands, results = equation.operation, equation.operands, equation.results
        if name in CUT:
            self._side_by_side(equation.variables[0], results)
        elif name == "concat":
            self._side_by_side(results[0], operands)
        elif name == "product" and len(equation.variables[1].shape) == 3:
            left, right = equation.variables
            heads, rows, columns = self.shape(right)
            self._cuts[left].update(rows * head for head in range(1, heads))
            self._cuts[results[0]].update(columns * head for head in range(1, heads))
        elif name in RENAMED or name in RUNNING or (name in OPERATIONS and OPERATIONS[name].elementwise):
            self._same((*equation.variables, *results))

    def _same(self, variables: Iterable[Variable]) -> None:
        alike = [v for v in variables if v.shape and v in self._cuts]
        cuts = set().union(*(self._cuts[v] for v in alike))
        for variable in alike:
            self._cuts[variable] |= cuts

    def _side_by_side(self, whole: Variable, parts: Sequence[Operand]) -> None:
        """A value and its parts: each part's ends and cuts are cuts of the whole, and the other way round."""
        begin = 0
        for part in parts:
            assert isinstance(part, Variable)
            width = self.width(part)
            cuts = self._cuts[whole]
            cuts |= {begin + cut for cut in self._cuts.get(part, ())} | ({begin} if begin else set())
            if part in self._cuts:
                self._cuts[part] |= {cut - begin for cut in cuts if begin < cut < begin + width}
            begin += width


def block(width: int) -> int:
    """The number of columns of a block that holds this many features: a power of two, and enough for a product."""
    return max(16, 1 << math.ceil(math.log2(width)))
