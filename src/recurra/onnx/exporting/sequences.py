"""The sequences that a graph runs over: their number, their lengths, and which are active at a step."""

from __future__ import annotations

from functools import cached_property

from onnx import TensorProto

from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.operations import RowDimensions

_BEFORE_THE_FIRST = -(2**63) + 1  # the end of a slice that runs backwards to the very first step


class SequenceNodes:
    """Sizes and ends of the sequences; the nodes that compute one are added when it is first read.

    Args:
        graph: the outer graph.
        x: the name of the input, (T, batch, …), for a cell (batch, …).
        has_steps: whether the input has a dimension of time.
        lengths: the name of the lengths, int64 (batch,); None if all sequences have T steps.
    """

    def __init__(self, graph: GraphWriter, x: str, has_steps: bool, lengths: str | None) -> None:
        self._graph, self._x, self._has_steps = graph, x, has_steps
        self.lengths = lengths

    def rows(self, dimensions: int) -> RowDimensions:
        """The rows of values: 2 dimensions over all steps, 1 in one step."""
        return RowDimensions(dimensions, lambda: self.all_rows if dimensions == 2 else self.batch)

    @property
    def own_rows(self) -> RowDimensions:
        """The rows of the input."""
        return self.rows(1 + self._has_steps)

    def _node(self, operator: str, *inputs: str, into: str, **attributes: int) -> str:
        with self._graph.part("", "the sequences"):
            return self._graph.node(operator, *inputs, into=self._graph.name(into), **attributes)

    @cached_property
    def steps(self) -> str:
        """The vector [T]."""
        return self._node("Shape", self._x, into="steps", start=0, end=1)

    @cached_property
    def batch(self) -> str:
        """The vector [batch]."""
        first = int(self._has_steps)
        return self._node("Shape", self._x, into="batch", start=first, end=first + 1)

    @cached_property
    def all_rows(self) -> str:
        """The vector [T, batch]."""
        return self._node("Concat", self.steps, self.batch, into="rows", axis=0)

    @cached_property
    def node_lengths(self) -> str:
        """The lengths in int32, as ONNX's recurrent nodes take them; an empty name if there are none."""
        if self.lengths is None:
            return ""
        return self._node("Cast", self.lengths, into="node_lengths", to=TensorProto.INT32)

    @cached_property
    def filled(self) -> str:
        """Bool (batch, 1): true for sequences with any step."""
        assert self.lengths is not None
        is_filled = self._node("Greater", self.lengths, self._graph.index(0), into="is_filled")
        return self._node("Unsqueeze", is_filled, self._graph.whole(1), into="filled")

    @cached_property
    def active(self) -> str:
        """Bool (T, batch, 1): true at the steps that a sequence has."""
        assert self.lengths is not None
        index, whole = self._graph.index, self._graph.whole
        count = self._node("Squeeze", self.steps, into="step_count")
        numbers = self._node("Range", index(0), count, index(1), into="step_numbers")
        column = self._node("Unsqueeze", numbers, whole(1), into="step_column")
        inside = self._node("Less", column, self.lengths, into="is_inside")
        return self._node("Unsqueeze", inside, whole(2), into="active")

    @cached_property
    def active_reversed(self) -> str:
        """``active``, with the last step first."""
        with self._graph.part("", "the sequences"):
            return reversed_steps(self._graph, self.active)


def reversed_steps(graph: GraphWriter, values: str) -> str:
    """Reverse the values of all steps: the last step comes first."""
    whole = graph.whole
    return graph.node("Slice", values, whole(-1), whole(_BEFORE_THE_FIRST), whole(0), whole(-1))
