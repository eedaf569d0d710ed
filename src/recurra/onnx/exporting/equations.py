"""Equations of a program as nodes of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.operations import WRITERS, RowDimensions, Use
from recurra.program import Equation, Program, Sizes, Variable


class ProgramValues:
    """The names that a program's variables have in a graph.

    Args:
        program: the program whose equations are written.
        sizes: the numbers of its symbols.
        names: the names of the values that are known at the beginning.
    """

    def __init__(self, program: Program, sizes: Sizes, names: Mapping[Variable, str]) -> None:
        self.names = dict(names)
        self._program, self._sizes = program, sizes
        self._varying = program.varying()

    def within(self, names: Mapping[Variable, str]) -> ProgramValues:
        """A copy, with further names that only the body of a loop knows."""
        inner = ProgramValues(self._program, self._sizes, self.names)
        inner.names.update(names)
        return inner

    def write(self, graph: GraphWriter, equations: Iterable[Equation], rows: RowDimensions) -> None:
        """Write equations to a graph; results that vary have these rows."""
        for equation in equations:
            inputs = tuple(
                self.names[operand] if isinstance(operand, Variable) else graph.number(operand)
                for operand in equation.operands
            )
            varying = tuple(operand in self._varying for operand in equation.operands)
            use = Use(graph, equation, inputs, varying, rows, self._sizes)
            self.names.update(zip(equation.results, WRITERS[equation.operation](use), strict=True))
