"""A step as phases: what a launch can compute before it needs whole values that other programs compute.

A product, a reduction and a running sum read all features of their operand, each program only a tile of units. So
their operand must be in memory: a state, an input, or a value of an earlier phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recurra.compiler import Schedule
from recurra.engines.triton.body import REDUCTIONS
from recurra.engines.triton.pieces import CUT, RENAMED, RUNNING, FeaturePiece, Pieces
from recurra.program import Equation, Operand, Variable


class Home(NamedTuple):
    """The source of a piece of a value.

    Attributes:
        variable: the variable that is computed, given or a constant.
        piece: the part of it.
    """

    variable: Variable
    piece: FeaturePiece


class Phases:
    """The phases of a schedule's step.

    Attributes:
        pieces: the pieces of its variables.
        count: the number of phases.
        given: the variables that are in memory when the step begins: states and rows.
    """

    def __init__(self, schedule: Schedule, pieces: Pieces) -> None:
        self.pieces = pieces
        self.given = frozenset((*schedule.states, *schedule.loop_inputs()))
        self._makers = {result: equation for equation in schedule.step for result in equation.results}
        self._phases: dict[Home, int] = {}
        for equation in schedule.step:
            self._place(equation)
        self.count = 1 + max(self._phases.values(), default=0)

    def home(self, variable: Variable, piece: FeaturePiece) -> Home:
        """The home of a piece: values that are only renamed, cut or put side by side have that of their operand."""
        maker = self._makers.get(variable)
        if maker is None or variable not in self.pieces.varying:
            return Home(variable, piece)
        if maker.operation in RENAMED:
            return self._operand_home(maker.operands[0], piece)
        if maker.operation in CUT:
            begin = sum(self.pieces.width(v) for v in maker.results[: maker.results.index(variable)])
            return self._operand_home(maker.operands[0], FeaturePiece(begin + piece.offset, piece.width))
        if maker.operation == "concat":
            begin = 0
            for operand in maker.operands:
                assert isinstance(operand, Variable)
                width = self.pieces.width(operand)
                if begin <= piece.offset < begin + width:
                    return self._operand_home(operand, FeaturePiece(piece.offset - begin, piece.width))
                begin += width
        if maker.operation in REDUCTIONS and not maker.variables[0].shape:
            return self._operand_home(maker.operands[0], piece)
        return Home(variable, piece)

    def _operand_home(self, operand: Operand, piece: FeaturePiece) -> Home:
        assert isinstance(operand, Variable)
        return self.home(operand, piece)

    def of(self, home: Home) -> int:
        """The phase in which a home has its value; 0 for what is given."""
        return self._phases.get(home, 0)

    def is_computed(self, home: Home) -> bool:
        """Whether a step computes it."""
        return home in self._phases

    def homes(self, variable: Variable) -> list[Home]:
        """The homes of a variable's pieces."""
        return [self.home(variable, piece) for piece in self.pieces.of(variable)]

    def _place(self, equation: Equation) -> None:
        """Note the phase of each piece that an equation computes."""
        reads_whole = equation.operation in ("product", *REDUCTIONS, *RUNNING)
        for result in equation.results:
            for piece in self.pieces.of(result):
                if self.home(result, piece) != Home(result, piece):
                    continue
                if reads_whole:
                    waits = [self._after(home) for home in self.homes(equation.variables[0])]
                else:
                    waits = [self.of(home) for home in self._elements(equation.operands, piece)]
                self._phases[Home(result, piece)] = max(waits, default=0)

    def _after(self, home: Home) -> int:
        """The first phase that can read all of a value."""
        return self._phases[home] + 1 if home in self._phases else 0

    def _elements(self, operands: Sequence[Operand], piece: FeaturePiece) -> list[Home]:
        """The homes of the operands of an elementwise equation for a piece of its result."""
        variables = [v for v in operands if isinstance(v, Variable) and v in self.pieces.varying]
        return [self.home(v, piece if v.shape else FeaturePiece(0, 1)) for v in variables]
