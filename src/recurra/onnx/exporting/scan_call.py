"""One call of the operator ``recurra::scan`` as nodes: what exporters of torch write where torch recorded it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recurra.errors import OnnxError
from recurra.onnx.exporting.gates import node_weights
from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.packed_rows import PackedRows
from recurra.onnx.exporting.programs import WrittenProgram, all_steps
from recurra.onnx.exporting.recurrent_nodes import RecurrentNode, find_node
from recurra.onnx.exporting.sequences import SequenceNodes
from recurra.program import Program, Sizes


@dataclass(frozen=True)
class NamedWeight:
    """A weight that a graph computes or is given: it has a name, and its numbers are not known."""

    name: str
    array: None = None


@dataclass(frozen=True)
class ScanCall:
    """A call of ``recurra::scan``, with its operands' names in a graph.

    Attributes:
        program: the program, as it runs outside of training.
        sizes: the numbers of its symbols.
        reverse: whether the last step comes first.
        x: the input, (T, batch, input); beside ``batch_sizes`` the rows of all steps, (rows, input).
        states: the first states, (batch, size) each.
        parameters: the parameters, in the program's order.
        batch_sizes: int64 (T,), the number of sequences at each step; None for a dense batch.
        lengths: int64 (batch,), the steps of each sequence of a dense batch; None where all have T.
        reset: bool (T, batch), true where the states are zero before a step; None for no resets.
    """

    program: Program
    sizes: Sizes
    reverse: bool
    x: str
    states: Sequence[str]
    parameters: Sequence[str]
    batch_sizes: str | None = None
    lengths: str | None = None
    reset: str | None = None


def write_call(graph: GraphWriter, call: ScanCall) -> list[str]:
    """Write the nodes of a call, and return the names of its output, laid out as x is, and of its last states.

    Raises:
        OnnxError: packed sequences and resets meet, which no model of torch.nn has.
    """
    if call.batch_sizes is None:
        return _dense(graph, call, SequenceNodes(graph, call.x, True, call.lengths), call.x)
    if call.reset is not None:
        raise OnnxError("reset beside packed sequences cannot be written to ONNX: give padded ones")
    packed = PackedRows(graph, call.batch_sizes, graph.node("Shape", call.states[0], start=0, end=1))
    x = packed.padded(call.x)
    output, *last = _dense(graph, call, SequenceNodes(graph, x, True, packed.lengths), x)
    return [packed.rows(output), *last]


def _dense(graph: GraphWriter, call: ScanCall, sequences: SequenceNodes, x: str) -> list[str]:
    known = find_node(call.program) if graph.is_single and call.reset is None else None
    if known is not None:
        return _node(graph, call, *known, sequences, x)
    weights = [NamedWeight(name) for name in call.parameters]
    written = WrittenProgram(call.program, call.sizes, weights, call.reverse)
    output, last = all_steps(graph, sequences, written, x, call.states, call.reset)
    return [output, *last]


def _node(
    graph: GraphWriter, call: ScanCall, kind: RecurrentNode, names: Sequence[str], sequences: SequenceNodes, x: str
) -> list[str]:
    """Write one of ONNX's own nodes, in one direction."""
    weights = node_weights(graph, kind, call.sizes.hidden, dict(zip(names, call.parameters, strict=True)))
    first = [graph.node("Unsqueeze", state, graph.whole(0)) for state in call.states]
    inputs = [x, weights["W"], weights["R"], weights["B"], sequences.node_lengths, *first, weights["P"]]
    while not inputs[-1]:
        del inputs[-1]
    attributes = {"hidden_size": call.sizes.hidden, **kind.attributes}
    if call.reverse:
        attributes["direction"] = "reverse"
    if kind.activation is not None:
        attributes["activations"] = [kind.activation]
    outputs = [graph.name(name) for name in ("Y", "Y_h", "Y_c")[: 1 + len(first)]]
    y, *last = graph.nodes_of(kind.operator, inputs, outputs, **attributes)  # y is (T, 1, batch, hidden)
    last = [graph.node("Squeeze", value, graph.whole(0)) for value in last]
    if sequences.lengths is not None:  # an empty sequence's last states would be zeros in onnxruntime
        last = [graph.node("Where", sequences.filled, *pair) for pair in zip(last, call.states, strict=True)]
    return [graph.node("Squeeze", y, graph.whole(1)), *last]
