"""The parts of a model that runs by itself, written to a graph one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from recurra.model import Interface
from recurra.model.interface import StateInterface
from recurra.model.kinds import role
from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.parts import WRITERS
from recurra.onnx.exporting.scope import GraphWeights, Scope, Written
from recurra.onnx.exporting.sequences import SequenceNodes


def write_chain(
    graph: GraphWriter,
    weights: GraphWeights,
    sequences: SequenceNodes,
    interface: Interface,
    x: str,
    first: Sequence[str],
    model: str = "",
    inputs: Mapping[str, str] = MappingProxyType({}),
) -> Written:
    """Write all parts of a model.

    Args:
        graph: the graph.
        weights: the weights of the whole description.
        sequences: the sequences that the model runs over.
        interface: the model's interface.
        x: the name of its input, time first.
        first: the names of the first values of all states.
        model: the model's name in the description; empty for the description's root.
        inputs: the names of its inputs beside the first one, time first. Default: those that have defaults have them.
    """
    last: list[str] = []
    held: list[str] = []  # the inputs that are added to the outputs of the parts around which there is a sum
    for number, (name, part) in enumerate(interface.parts):
        held += [x] * sum(first == number for first, _ in interface.sums)
        states = tuple(first[len(last) : len(last) + len(interface.states.get(name, ()))])
        full = ".".join(piece for piece in (model, name) if piece)
        written = WRITERS[part.kind](Scope(graph, sequences, weights, full, part, x, states, inputs))
        x = written.output
        if role(part) == "last":  # from here on a row is a sequence
            sequences = SequenceNodes(graph, x, False, None)
        last += written.states
        for _ in range(sum(behind == number + 1 for _, behind in interface.sums)):
            x = graph.node("Add", held.pop(), x)
    return Written(x, tuple(last))


def spread(graph: GraphWriter, sequences: SequenceNodes, state: StateInterface, value: str) -> str:
    """Spread a state's value, that of a batch of one or a number, over the batch."""
    pieces = [*map(graph.whole, state.leading), sequences.batch, graph.whole(state.size)]
    return graph.node("Expand", value, graph.node("Concat", *pieces, axis=0))
