"""An encoder and its decoder in a graph, or an ensemble of these."""

from __future__ import annotations

from typing import NamedTuple

from onnx import ValueInfoProto

from recurra.errors import OnnxError
from recurra.model import Description, Interface
from recurra.model.initial_states import initial_states
from recurra.onnx.exporting.chain import spread, write_chain
from recurra.onnx.exporting.graph import Array, GraphWriter
from recurra.onnx.exporting.scope import GraphWeights
from recurra.onnx.exporting.sequences import SequenceNodes

PAST, FUTURE = "past", "future"  # the graph's inputs: those of the encoders and of the decoders
_SWAP = [1, 0, 2]


class _Pair(NamedTuple):
    """An encoder with its decoder: its name in the description, both interfaces, and the encoder's first states."""

    name: str
    encoder: Interface
    decoder: Interface
    initial: list[Array | None]

    @property
    def outside(self) -> tuple[object, ...]:
        """The shapes of the pair's inputs and of its output."""
        return self.encoder.input_shape, self.decoder.input_shape, self.decoder.output_shape


def write_pairs(
    graph: GraphWriter, description: Description, output: str
) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
    """Write all nodes of an EncoderDecoder, or of an Ensemble of these that take the same inputs.

    Args:
        graph: the graph.
        description: the model.
        output: the name of the graph's output; for an Ensemble the members are its first dimension.

    Returns:
        The declarations of the graph's inputs and outputs.

    Raises:
        OnnxError: the models inside are no such pairs, take tokens, or their inputs or outputs differ.
    """
    pairs = _pairs(description)
    weights = GraphWeights(graph.store, description)
    is_ensemble = description.root.kind == "Ensemble"
    results = [_write(graph, weights, pair) for pair in pairs]
    if is_ensemble:
        results = [graph.node("Unsqueeze", result, graph.whole(0)) for result in results]
        graph.node("Concat", *results, into=output, axis=0)
    else:
        graph.node("Identity", results[0], into=output)
    encoder, decoder = pairs[0].encoder, pairs[0].decoder
    steps = {PAST: "past_len", FUTURE: "future_len", output: "future_len"}
    shapes = {PAST: encoder.input_shape, FUTURE: decoder.input_shape, output: decoder.output_shape}
    declared = {
        name: [steps[name] if dimension == "seq_len" else dimension for dimension in shape]
        for name, shape in shapes.items()
    }
    declared[output] = [*[len(pairs)] * is_ensemble, *declared[output]]
    values = {name: graph.declare(name, shape) for name, shape in declared.items()}
    return [values[PAST], values[FUTURE]], [values[output]]


def _pairs(description: Description) -> list[_Pair]:
    is_ensemble = description.root.kind == "Ensemble"
    members = description.members() if is_ensemble else [description]
    pairs = [
        _pair(member, str(number) if is_ensemble else "")
        for number, member in enumerate(members)
        if member.root.kind == "EncoderDecoder"
    ]
    tokens = any(pair.encoder.takes_tokens or pair.decoder.takes_tokens for pair in pairs)
    if tokens or len(pairs) < len(members) or len({pair.outside for pair in pairs}) > 1:
        raise OnnxError(
            "several models are one graph only as EncoderDecoders with the same numbers of features and outputs: "
            "export each of Description.members() by itself"
        )
    return pairs


def _pair(description: Description, name: str) -> _Pair:
    encoder, decoder = description.members()
    return _Pair(name, encoder.interface, decoder.interface, initial_states(encoder))


def _write(graph: GraphWriter, weights: GraphWeights, pair: _Pair) -> str:
    """Write a pair, and return the name of its output, laid out as its layers give it."""
    encoder, decoder = (".".join(piece for piece in (pair.name, part) if piece) for part in ("encoder", "decoder"))
    past, future = (graph.node("Transpose", x, perm=_SWAP) if pair.encoder.batch_first else x for x in (PAST, FUTURE))
    sequences = SequenceNodes(graph, past, True, None)
    starts = [graph.number(0.0) if value is None else graph.weight("initial", value) for value in pair.initial]
    first = [
        spread(graph, sequences, state, start) for state, start in zip(pair.encoder.flat_states, starts, strict=True)
    ]
    encoded = write_chain(graph, weights, sequences, pair.encoder, past, first, encoder)
    sequences = SequenceNodes(graph, future, True, None)
    decoded = write_chain(graph, weights, sequences, pair.decoder, future, encoded.states, decoder)
    return graph.node("Transpose", decoded.output, perm=_SWAP) if pair.decoder.batch_first else decoded.output
