"""A description as an ONNX model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, ValueInfoProto, checker, defs, helper

from recurra.errors import OnnxError
from recurra.model import Description, Interface
from recurra.model.annotations import to_content
from recurra.model.initial_states import initial_states
from recurra.model.interface import StateInterface
from recurra.model.kinds import role
from recurra.onnx.exporting.chain import spread, write_chain
from recurra.onnx.exporting.graph import Array, GraphWriter, Store
from recurra.onnx.exporting.pairs import FUTURE, PAST, write_pairs
from recurra.onnx.exporting.scope import GraphWeights
from recurra.onnx.exporting.sequences import SequenceNodes

OLDEST, NEWEST = 18, 24  # opsets: reductions take their axes as an input from 18 on
INPUT, LENGTHS, OUTPUT = "x", "lengths", "output"
INT64 = np.dtype(np.int64)


def assemble(description: Description, *, lengths: bool, optional_states: bool, opset: int) -> ModelProto:
    """Assemble the ONNX model of a description, and check it.

    Raises:
        OnnxError: the parts do not fit together, there are no sequences to have lengths, the opset is not supported,
            or the weights are too large.
    """
    newest = min(NEWEST, defs.onnx_opset_version())
    if not OLDEST <= opset <= newest:
        raise OnnxError(f"opset must be from {OLDEST} to {newest}; got {opset}")
    if role(description.root) == "models":
        if lengths:
            raise OnnxError("lengths=True needs a model that runs by itself: this one holds several")
        graph = GraphWriter(Store(description.dtype, [PAST, FUTURE, OUTPUT]))
        inputs, outputs = write_pairs(graph, description, OUTPUT)
    else:
        interface = description.interface
        if lengths and (interface.is_cell or not interface.states):
            raise OnnxError("lengths=True needs a recurrent layer: the model has none")
        states = [name(state) for state in interface.flat_states for name in (_first, _last)]
        further = [each.name for each in interface.further_inputs]
        graph = GraphWriter(Store(interface.dtype, [INPUT, LENGTHS, OUTPUT, *states, *further]))
        _write(graph, description, LENGTHS if lengths else None, optional_states)
        inputs, outputs = _declared(graph, interface, lengths)
    proto = graph.proto(description.root.kind, inputs, outputs)
    proto.initializer.extend(graph.store.tensors)
    return _model(proto, description, opset)


def _first(state: StateInterface) -> str:
    """The name of the graph's input for a state's first value."""
    return f"{state.full_name}_0"


def _last(state: StateInterface) -> str:
    """The name of the graph's output for a state's last value."""
    return f"{state.full_name}_n"


def _declared(
    graph: GraphWriter, interface: Interface, lengths: bool
) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
    """The declarations of the graph's inputs and outputs."""
    inputs = [graph.declare(INPUT, interface.input_shape, INT64 if interface.takes_tokens else None)]
    inputs += [graph.declare(each.name, [*interface.rows, each.size]) for each in interface.further_inputs]
    inputs += [graph.declare(LENGTHS, ["batch"], INT64)] if lengths else []
    inputs += [graph.declare(_first(state), state.shape) for state in interface.flat_states]
    outputs = [graph.declare(OUTPUT, interface.output_shape)]
    outputs += [graph.declare(_last(state), state.shape) for state in interface.flat_states]
    return inputs, outputs


def _write(graph: GraphWriter, description: Description, lengths: str | None, optional_states: bool) -> None:
    """Write all nodes, from the inputs to the outputs."""
    interface = description.interface
    swap = [1, 0] if interface.takes_tokens else [1, 0, 2]
    x = graph.node("Transpose", INPUT, perm=swap) if interface.batch_first else INPUT
    sequences = SequenceNodes(graph, x, not interface.is_cell, lengths)
    weights = GraphWeights(graph.store, description)
    first = [
        _entering(graph, sequences, state, initial, optional_states)
        for state, initial in zip(interface.flat_states, initial_states(description), strict=True)
    ]
    further = {each.name: each.name for each in interface.further_inputs}
    if interface.batch_first:
        further = {name: graph.node("Transpose", name, perm=[1, 0, 2]) for name in further}
    written = write_chain(graph, weights, sequences, interface, x, first, inputs=further)
    for state, last in zip(interface.flat_states, written.states, strict=True):
        graph.node("Identity", last, into=_last(state))
    x = written.output
    if interface.gives_last_step:
        graph.node("Identity", x, into=OUTPUT)
        return
    if lengths is not None:
        x = graph.node("Where", sequences.active, x, graph.number(0.0))
    if interface.batch_first:
        graph.node("Transpose", x, into=OUTPUT, perm=[1, 0, 2])
    else:
        graph.node("Identity", x, into=OUTPUT)


def _entering(
    graph: GraphWriter, sequences: SequenceNodes, state: StateInterface, initial: Array | None, optional: bool
) -> str:
    """A state's first value, for the whole batch.

    An optional state has its learned value, or zeros, for a batch of one as its default; a node spreads them over the
    batch.
    """
    if not optional:
        return _first(state)
    zeros = np.zeros((*state.leading, 1, state.size), graph.store.dtype)
    graph.store.add_default(_first(state), zeros if initial is None else initial)
    with graph.part("", _first(state)):
        return spread(graph, sequences, state, _first(state))


def _model(graph: GraphProto, description: Description, opset: int) -> ModelProto:
    from recurra.version import __version__

    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        graph,
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),
        producer_name="recurra",
        producer_version=__version__,
    )
    helper.set_model_props(model, _metadata(description))
    checker.check_model(model, full_check=True)
    return model


def _metadata(description: Description) -> dict[str, str]:
    """The annotations as JSON, in the form that a model's own file has; a vocabulary as a list of tokens besides."""
    content: dict[str, Any] = {}
    if description.vocabulary is not None:
        tokens = list(description.vocabulary.tokens)
        content["recurra.vocabulary"] = {"level": description.vocabulary.level, "tokens": tokens}
    if description.annotations:
        content["recurra.annotations"] = to_content(description.annotations)
    return {key: json.dumps(value, ensure_ascii=False, allow_nan=False) for key, value in content.items()}
