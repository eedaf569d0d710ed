"""A graph of operators as plain data: nodes with their attributes, tensors, declared inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Union

from recurra.graph.declaration import Declaration
from recurra.graph.table import Array

# A number, a text, numbers or texts, a tensor, or an inner graph; None for a value of a type that no operator takes.
Attribute = Union[int, float, str, "tuple[int, ...]", "tuple[float, ...]", "tuple[str, ...]", Array, "Graph", None]


@dataclass(frozen=True, eq=False)
class GraphNode:
    """A node: an operator of the table, and the names of its values.

    Attributes:
        operator: ONNX's name of the operator.
        inputs: names of values; empty for an input that is left out.
        outputs: names of values; empty for an output that is not wanted.
        attributes: the attributes that are not the operator's defaults, with ONNX's names and meanings: element types
            are ONNX's numbers.
        name: the node's name in messages; empty for none.
        domain: the set of operators; empty for the standard's.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    name: str = ""
    domain: str = ""

    def label(self, number: int) -> str:
        """The node in messages, by its name or else its number among the graph's nodes."""
        return f"node {self.name or number!r} ({self.operator})"

    def names_read_inside(self) -> Iterator[str]:
        """The names of values that the node's inner graphs read, some of which are their own."""
        for value in self.attributes.values():
            if isinstance(value, Graph):
                yield from (output.name for output in value.outputs)
                for node in value.nodes:
                    yield from node.inputs
                    yield from node.names_read_inside()


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph.

    Attributes:
        inputs: the declared inputs; one that may be left out has its default among the tensors.
        outputs: the declared outputs.
        nodes: the nodes, in an order in which they can be run.
        tensors: the known values, by name; read-only.
    """

    inputs: tuple[Declaration, ...]
    outputs: tuple[Declaration, ...]
    nodes: tuple[GraphNode, ...]
    tensors: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class ModelGraph:
    """A whole model as a graph.

    Attributes:
        graph: the graph.
        opset: the version of the standard's operators, which settles their meaning.
    """

    graph: Graph
    opset: int
