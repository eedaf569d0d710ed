"""The sequences that a graph runs over: how many, how long, and which have ended at a step."""

from __future__ import annotations

from functools import cached_property

from onnx import TensorProto

from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.operations import Rows

_BEFORE_THE_FIRST = -(2**63) + 1  # where a slice ends that runs backwards to the very first step


class SequenceNodes:
    """Sizes and ends of the sequences; each is computed in the graph when it is first asked for.

    Args:
        graph: the outer one.
        x: the input, (T, batch, …), or of cells (batch, …).
        has_steps: whether there is a dimension of time.
        lengths: the name of the lengths, int64 (batch,); None where all sequences have T steps.
    """

    def __init__(self, graph: GraphWriter, x: str, has_steps: bool, lengths: str | None) -> None:
        self._graph, self._x, self._has_steps = graph, x, has_steps
        self.lengths = lengths

    def rows(self, dimensions: int) -> Rows:
        """The rows of values over all steps (2), or in one step (1)."""
        return Rows(dimensions, lambda: self.all_rows if dimensions == 2 else self.batch)

    @property
    def own_rows(self) -> Rows:
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
        """The lengths as ONNX's recurrent nodes take them, in int32; an empty name where there are none."""
        if self.lengths is None:
            return ""
        return self._node("Cast", self.lengths, into="node_lengths", to=TensorProto.INT32)

    @cached_property
    def filled(self) -> str:
        """Bool (batch, 1): whether a sequence has any step."""
        assert self.lengths is not None
        is_filled = self._node("Greater", self.lengths, self._graph.index(0), into="is_filled")
        return self._node("Unsqueeze", is_filled, self._graph.whole(1), into="filled")

    @cached_property
    def active(self) -> str:
        """Bool (T, batch, 1): whether a sequence has such a step."""
        assert self.lengths is not None
        index, whole = self._graph.index, self._graph.whole
        count = self._node("Squeeze", self.steps, into="step_count")
        numbers = self._node("Range", index(0), count, index(1), into="step_numbers")
        column = self._node("Unsqueeze", numbers, whole(1), into="step_column")
        inside = self._node("Less", column, self.lengths, into="is_inside")
        return self._node("Unsqueeze", inside, whole(2), into="active")

    @cached_property
    def active_reversed(self) -> str:
        """The same, the last step first."""
        with self._graph.part("", "the sequences"):
            return reversed_steps(self._graph, self.active)


def reversed_steps(graph: GraphWriter, values: str) -> str:
    """Values of all steps, the last step first."""
    whole = graph.whole
    return graph.node("Slice", values, whole(-1), whole(_BEFORE_THE_FIRST), whole(0), whole(-1))
