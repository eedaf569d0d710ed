"""Recurrent layers and cells in a graph: as ONNX's own node where one computes the program, else as the program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.model import recurrent_weights
from recurra.model.recurrent_parts import adds_input, arrangement, layer_sizes
from recurra.onnx.exporting.programs import WrittenProgram, all_steps, on_rows
from recurra.onnx.exporting.recurrent_nodes import NodeWeights, RecurrentNode, find_node
from recurra.onnx.exporting.scope import Scope, Written


def write_cell(scope: Scope) -> Written:
    """Write one step: the cell's equations."""
    [sizes], [(_, shapes)] = layer_sizes(scope.part), recurrent_weights(scope.part)
    written = WrittenProgram(scope.part.program, sizes, [scope.weight(name) for name in shapes])
    with scope.part_of_graph("", str(scope.part.program)):
        output, states = on_rows(scope.graph, scope.sequences.rows(1), written, scope.beside(scope.x), scope.states)
    return Written(output, tuple(states))


def write_layer(scope: Scope) -> Written:
    """Write all layers and directions, one after the other."""
    graph, arranged, known = scope.graph, arrangement(scope.part), None
    if graph.is_single and not scope.part.program.further_inputs:  # onnxruntime's nodes compute float32 alone
        known = find_node(scope.part.program)
    x, last = scope.x, list[list[str]]()
    for layer, adds in enumerate(adds_input(scope.part)):
        states = _of_layer(scope, layer)
        with scope.part_of_graph(f"l{layer}", f"layer {layer}"):
            if known is not None:
                output, ended = _node(scope, *known, layer, x, states)
            else:
                output, ended = _scans(scope, layer, x, states)
            x = graph.node("Add", x, output) if adds else output
        last.append(ended)
    by_state = list(zip(*last, strict=True))
    if arranged.by_layer:
        return Written(x, tuple(value for values in by_state for value in values))
    with scope.part_of_graph("", "states"):
        return Written(x, tuple(_joined(scope, values, 0) for values in by_state))


def _joined(scope: Scope, values: Sequence[str], axis: int) -> str:
    return values[0] if len(values) == 1 else scope.graph.node("Concat", *values, axis=axis)


def _of_layer(scope: Scope, layer: int) -> list[str]:
    """One layer's part of each state, (directions, batch, size)."""
    arranged, whole = arrangement(scope.part), scope.graph.whole
    count, layers = arranged.directions, len(arranged.hidden_sizes)
    if arranged.by_layer or layers == 1:
        return list(scope.states[layer::layers] if arranged.by_layer else scope.states)
    cut = whole(layer * count), whole((layer + 1) * count), whole(0)
    return [scope.graph.node("Slice", state, *cut) for state in scope.states]


def _merged(scope: Scope, outputs: Sequence[str], mode: str) -> str:
    """Both directions' outputs, (T, batch, size), as one."""
    if mode == "concat":
        return _joined(scope, outputs, -1)
    total = scope.graph.node("Mul" if mode == "mul" else "Add", *outputs)
    return scope.graph.node("Div", total, scope.graph.number(2.0)) if mode == "ave" else total


def _node(
    scope: Scope, kind: RecurrentNode, names: Sequence[str], layer: int, x: str, states: Sequence[str]
) -> tuple[str, list[str]]:
    """Write one of ONNX's own nodes for a layer, both directions in one; return the output and the states."""
    graph, arranged = scope.graph, arrangement(scope.part)
    count, hidden = arranged.directions, arranged.hidden_sizes[layer]
    packed = []
    for _, shapes in recurrent_weights(scope.part)[layer * count : (layer + 1) * count]:
        packed.append(kind.pack({name: scope.weight(own).array for name, own in zip(names, shapes, strict=True)}))
    weights = {name: _stored(scope, name, packed) for name in ("W", "R", "B", "P")}
    inputs = [x, weights["W"], weights["R"], weights["B"], scope.sequences.node_lengths, *states, weights["P"]]
    while not inputs[-1]:
        del inputs[-1]
    attributes = {"hidden_size": hidden, **kind.attributes}
    if count == 2:
        attributes["direction"] = "bidirectional"
    if kind.activation is not None:
        attributes["activations"] = [kind.activation] * count
    outputs = [graph.name(name) for name in ("Y", "Y_h", "Y_c")[: 1 + len(states)]]
    y, *last = graph.nodes_of(kind.operator, inputs, outputs, **attributes)  # y is (T, directions, batch, hidden)
    if scope.sequences.lengths is not None:  # an empty sequence's last states would be zeros in onnxruntime
        filled = scope.sequences.filled
        last = [graph.node("Where", filled, *pair) for pair in zip(last, states, strict=True)]
    if count == 1:
        return graph.node("Squeeze", y, graph.whole(1)), last
    if arranged.merge_mode != "concat":
        both = [graph.node("Gather", y, graph.index(direction), axis=1) for direction in range(count)]
        return _merged(scope, both, arranged.merge_mode), last
    y = graph.node("Transpose", y, perm=[0, 2, 1, 3])
    return graph.node("Reshape", y, graph.whole(0, 0, count * hidden)), last


def _stored(scope: Scope, name: str, packed: Sequence[NodeWeights]) -> str:
    """Store a node's weight of all directions; return its name, which is empty if there is no such weight."""
    arrays = [array for array in (getattr(each, name) for each in packed) if array is not None]
    return scope.graph.weight(name, np.stack(arrays)) if arrays else ""


def _scans(scope: Scope, layer: int, x: str, states: Sequence[str]) -> tuple[str, list[str]]:
    """Write the program over all steps, as a Scan for each direction; return the output and the states."""
    graph, arranged, program = scope.graph, arrangement(scope.part), scope.part.program
    count, x = arranged.directions, scope.beside(x)
    outputs: list[str] = []
    last: list[list[str]] = [[] for _ in states]
    named = recurrent_weights(scope.part)
    for direction in range(count):
        suffix, shapes = named[layer * count + direction]
        weights = [scope.weight(name) for name in shapes]
        written = WrittenProgram(program, layer_sizes(scope.part)[layer], weights, reverse=direction == 1)
        way = "backwards" if direction else "forwards"
        with scope.part_of_graph(suffix.removeprefix("_"), f"layer {layer}, {way}\n{program}"):
            first = [graph.node("Gather", state, graph.index(direction), axis=0) for state in states]
            output, ended = all_steps(graph, scope.sequences, written, x, first)
            outputs.append(output)
            for values, value in zip(last, ended, strict=True):
                values.append(graph.node("Unsqueeze", value, graph.whole(0)))
    return _merged(scope, outputs, arranged.merge_mode), [_joined(scope, values, 0) for values in last]
