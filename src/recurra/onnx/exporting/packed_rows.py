"""Packed sequences in a graph: the way from a padded batch to the rows of all steps, and back."""

from __future__ import annotations

from onnx import TensorProto

from recurra.onnx.exporting.graph import GraphWriter


def pack(graph: GraphWriter, padded: str, lengths: str) -> tuple[str, str]:
    """Write the nodes that pack a padded batch.

    Args:
        graph: takes the nodes.
        padded: the batch, (T, batch, …).
        lengths: the steps of each sequence, whole numbers (batch,), in decreasing order.

    Returns:
        the rows, (rows, …), and the number of sequences at each step, int64 (steps,).
    """
    lengths = graph.node("Cast", lengths, to=TensorProto.INT64)
    longest = graph.node("ReduceMax", lengths, keepdims=0)
    numbers = graph.node("Range", graph.index(0), longest, graph.index(1))
    inside = graph.node("Less", graph.node("Unsqueeze", numbers, graph.whole(1)), lengths)
    sizes = graph.node("ReduceSum", graph.node("Cast", inside, to=TensorProto.INT64), graph.whole(1), keepdims=0)
    return _rows(graph, padded, inside), sizes


class PackedRows:
    """The way from packed rows to a padded batch and back.

    Args:
        graph: takes the nodes.
        batch_sizes: the number of sequences at each step, int64 (T,).
        batch: the vector [batch]; sequences without a step count too.

    Attributes:
        lengths: the steps of each sequence, int64 (batch,).
        inside: bool (T, batch), true where a sequence has the step.
    """

    def __init__(self, graph: GraphWriter, batch_sizes: str, batch: str) -> None:
        self._graph, self._batch_sizes = graph, batch_sizes
        self._numbers = graph.node("Range", graph.index(0), graph.node("Squeeze", batch), graph.index(1))
        self.inside = graph.node("Less", self._numbers, graph.node("Unsqueeze", batch_sizes, graph.whole(1)))
        steps = graph.node("Cast", self.inside, to=TensorProto.INT64)
        self.lengths = graph.node("ReduceSum", steps, graph.whole(0), keepdims=0)

    def padded(self, rows: str) -> str:
        """The rows as a padded batch, (T, batch, …); behind the ends it has numbers of other rows."""
        graph = self._graph
        begins = graph.node("CumSum", self._batch_sizes, graph.index(0), exclusive=1)
        places = graph.node("Add", graph.node("Unsqueeze", begins, graph.whole(1)), self._numbers)
        inside = graph.node("Where", self.inside, places, graph.index(0))
        return graph.node("Gather", rows, inside, axis=0)

    def rows(self, padded: str) -> str:
        """The rows of a padded batch, in the order of packed sequences."""
        return _rows(self._graph, padded, self.inside)


def _rows(graph: GraphWriter, padded: str, inside: str) -> str:
    places = graph.node("Transpose", graph.node("NonZero", inside), perm=[1, 0])
    return graph.node("GatherND", padded, places)
