"""A description as an ONNX model."""

from __future__ import annotations

import json

import numpy as np
from onnx import GraphProto, ModelProto, ValueInfoProto, checker, defs, helper

from recurra.errors import OnnxError
from recurra.model import Description
from recurra.onnx.exporting.graph import Dimensions, Graph, Store
from recurra.onnx.exporting.interface import Interface, State, interface
from recurra.onnx.exporting.parts import WRITERS
from recurra.onnx.exporting.scope import Scope, Weights
from recurra.onnx.exporting.sequences import Sequences

OLDEST, NEWEST = 18, 24  # opsets: reductions take their axes as an input from 18 on
INPUT, LENGTHS, OUTPUT = "x", "lengths", "output"
INT64 = np.dtype(np.int64)


def assemble(description: Description, *, lengths: bool, optional_states: bool, opset: int) -> ModelProto:
    """The model, checked.

    Raises:
        OnnxError: the parts do not fit together, there are no sequences to have lengths, the opset is not supported,
            or the weights are too large.
    """
    newest = min(NEWEST, defs.onnx_opset_version())
    if not OLDEST <= opset <= newest:
        raise OnnxError(f"opset must be from {OLDEST} to {newest}; got {opset}")
    outline = interface(description.root)
    if lengths and not (outline.states and outline.has_steps):
        raise OnnxError("lengths=True needs a recurrent layer: the model has none")
    states = [state for group in outline.states.values() for state in group]
    reserved = [INPUT, LENGTHS, OUTPUT, *(name for state in states for name in (state.first, state.last))]
    graph = Graph(Store(description.dtype, reserved))
    _write(graph, description, outline, LENGTHS if lengths else None, optional_states)
    inputs, outputs = _declared(graph, outline, lengths, states)
    made = graph.made(description.root.kind, inputs, outputs)
    made.initializer.extend(graph.store.tensors)
    return _model(made, description, opset)


def _declared(
    graph: Graph, outline: Interface, lengths: bool, states: list[State]
) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
    """The graph's inputs and outputs."""
    rows = outline.rows
    if outline.has_ids:
        x = graph.declare(INPUT, rows, INT64)
    else:
        x = graph.declare(INPUT, [*rows, outline.input_size or "features"])
    shapes: list[Dimensions] = [[*state.leading, "batch", state.size] for state in states]
    inputs = [x, *([graph.declare(LENGTHS, ["batch"], INT64)] if lengths else [])]
    inputs += [graph.declare(state.first, shape) for state, shape in zip(states, shapes, strict=True)]
    outputs = [graph.declare(OUTPUT, [*rows, outline.output_size or "features"])]
    outputs += [graph.declare(state.last, shape) for state, shape in zip(states, shapes, strict=True)]
    return inputs, outputs


def _write(
    graph: Graph, description: Description, outline: Interface, lengths: str | None, optional_states: bool
) -> None:
    """All nodes, from the inputs to the outputs."""
    swap = [1, 0] if outline.has_ids else [1, 0, 2]
    x = graph.node("Transpose", INPUT, perm=swap) if outline.batch_first else INPUT
    sequences = Sequences(graph, x, outline.has_steps, lengths)
    weights = Weights(graph.store, description)
    for name, part in outline.parts:
        states = outline.states.get(name, ())
        first = tuple(_entering(graph, sequences, state, optional_states) for state in states)
        written = WRITERS[part.kind](Scope(graph, sequences, weights, name, part, x, first))
        x = written.output
        for state, last in zip(states, written.states, strict=True):
            graph.node("Identity", last, into=state.last)
    if lengths is not None:
        x = graph.node("Where", sequences.active, x, graph.number(0.0))
    if outline.batch_first:
        graph.node("Transpose", x, into=OUTPUT, perm=[1, 0, 2])
    else:
        graph.node("Identity", x, into=OUTPUT)


def _entering(graph: Graph, sequences: Sequences, state: State, optional: bool) -> str:
    """A state as it goes into its part; where it may be left out, its default is zeros for a batch of one, spread."""
    if not optional:
        return state.first
    graph.store.add_default(state.first, np.zeros((*state.leading, 1, state.size), graph.store.dtype))
    pieces = [*map(graph.whole, state.leading), sequences.batch, graph.whole(state.size)]
    with graph.part("", state.first):
        return graph.node("Expand", state.first, graph.node("Concat", *pieces, axis=0))


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
    if description.vocabulary is not None:
        words = {"level": description.vocabulary.level, "tokens": list(description.vocabulary.tokens)}
        helper.set_model_props(model, {"recurra.vocabulary": json.dumps(words, ensure_ascii=False)})
    checker.check_model(model, full_check=True)
    return model
