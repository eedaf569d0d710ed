"""``GraphNodes``: collects the nodes and tensors of a graph that is being written, and names its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recurra.graph.graph import Attribute, GraphNode
from recurra.graph.table import Array


class GraphNodes:
    """The nodes and tensors of a graph that is being written.

    Args:
        taken: names that values outside of these nodes have. Default none.

    Attributes:
        nodes: the nodes so far.
        tensors: the tensors so far, by name.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.nodes: list[GraphNode] = []
        self.tensors: dict[str, Array] = {}
        self._taken = set(taken)

    def name(self, wanted: str) -> str:
        """A name that no value has yet."""
        own, number = wanted, 1
        while own in self._taken:
            own, number = f"{wanted}.{number}", number + 1
        self._taken.add(own)
        return own

    def tensor(self, array: Array, name: str = "constant") -> str:
        """Enter a tensor, and return its name."""
        own = self.name(name)
        self.tensors[own] = array
        return own

    def ints(self, *values: int) -> str:
        """A vector of whole numbers."""
        return self.tensor(np.array(values, np.int64))

    def write(
        self, label: str, operator: str, inputs: Sequence[str], outputs: int, domain: str,
        attributes: Mapping[str, Attribute],
    ) -> Any:  # fmt: skip
        """Write a node of this label, and return the name of its output, or the names of several."""
        names = tuple(inputs)
        while names and not names[-1]:
            names = names[:-1]
        own = [self.name(label if outputs == 1 else f"{label}.{n}") for n in range(outputs)]
        self.nodes.append(GraphNode(operator, names, tuple(own), attributes, label, domain))
        return own[0] if outputs == 1 else tuple(own)
