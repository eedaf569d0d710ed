"""Arguments and result of the functions that write one part of a model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from recurra.errors import OnnxError
from recurra.model import Description, Part
from recurra.model.recurrent_parts import further_sizes
from recurra.onnx.exporting.graph import Array, GraphWriter, Store
from recurra.onnx.exporting.sequences import SequenceNodes


class GraphWeights:
    """A model's weights under torch's names. Each is in the graph once; a weight that nothing reads is left out.

    Args:
        store: takes the weights.
        description: the model.
    """

    def __init__(self, store: Store, description: Description) -> None:
        self._store, self._weights = store, description.weights
        self._names: dict[int, str] = {}

    def array(self, name: str) -> Array:
        """A weight in the dtype of the computation."""
        return self._weights[name].values().astype(self._store.dtype, copy=False)

    def name(self, name: str) -> str:
        """A weight's name in the graph, which holds it from now on; tied weights share one name."""
        key = id(self._weights[name])
        if key not in self._names:
            self._names[key] = self._store.add(name, self.array(name))
        return self._names[key]


class NodeWeight(Protocol):
    """A weight as programs are written with it."""

    @property
    def name(self) -> str:
        """Its name in the graph."""

    @property
    def array(self) -> Array | None:
        """Its numbers, in the dtype of the computation; None where they are not known."""


@dataclass(frozen=True)
class GraphWeight:
    """One weight of a model: its numbers, and its name in the graph."""

    weights: GraphWeights
    full_name: str

    @property
    def name(self) -> str:
        """The weight's name in the graph, which holds it from now on."""
        return self.weights.name(self.full_name)

    @property
    def array(self) -> Array:
        """The weight's numbers, in the dtype of the computation."""
        return self.weights.array(self.full_name)


@dataclass(frozen=True)
class Scope:
    """One part of a model, to be written to a graph.

    Attributes:
        graph: the graph that takes the nodes.
        sequences: the sequences that the model runs over.
        weights: the weights of the whole model.
        name: the part's name in the model; empty for the model itself.
        part: the part.
        x: the name of its input.
        states: the names of its first states, (layers * directions, batch, size), for a cell (batch, size).
        inputs: the names of the model's inputs beside the first one, time first.
    """

    graph: GraphWriter
    sequences: SequenceNodes
    weights: GraphWeights
    name: str
    part: Part
    x: str
    states: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    def beside(self, x: str) -> str:
        """A layer's input as its program takes it: the inputs beside the first one, if it has any, beside x."""
        program, further = self.part.program, []
        for each, size in zip(program.further_inputs, further_sizes(self.part), strict=True):
            name = self.inputs.get(each.name)
            if name is None:
                if each.default is None:
                    raise OnnxError(f"{self.part.kind}: an encoder or decoder has no input {each.name}")
                rows = self.graph.node("Shape", x, start=0, end=-1)
                shape = self.graph.node("Concat", rows, self.graph.whole(size), axis=0)
                name = self.graph.node("Expand", self.graph.number(each.default), shape)
            further.append(name)
        return self.graph.node("Concat", x, *further, axis=-1) if further else x

    def part_of_graph(self, place: str, detail: str) -> AbstractContextManager[None]:
        """Begin names of values and texts of nodes with the part's name and a place in it, inside the ``with``."""
        prefix = "".join(f"{name}/" for name in (self.name, place) if name)
        about = f"{self.name} ({self.part.kind})" if self.name else self.part.kind
        return self.graph.part(prefix, f"{about}: {detail}" if detail else about)

    def weight(self, name: str) -> GraphWeight:
        """One of the part's weights."""
        return GraphWeight(self.weights, f"{self.name}.{name}" if self.name else name)


@dataclass(frozen=True)
class Written:
    """The results of a part.

    Attributes:
        output: the name of its output.
        states: the names of its last states, shaped as the first ones.
    """

    output: str
    states: tuple[str, ...] = ()
