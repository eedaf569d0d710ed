"""Weights in the order of gates of ONNX's nodes, computed by nodes of the graph, for weights without known numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recurra.model.layouts import ONNX, GateLayout
from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.recurrent_nodes import RecurrentNode


def node_weights(graph: GraphWriter, kind: RecurrentNode, size: int, weights: Mapping[str, str]) -> dict[str, str]:
    """Write the nodes that compute a recurrent node's weights of one direction.

    Runtimes, and the exporters of torch, compute them once, as they follow from weights alone.

    Args:
        graph: takes the nodes.
        kind: the recurrent node.
        size: features of the state.
        weights: the weights' names in the graph, by the names of the cell.

    Returns:
        the names of W, R, B and P, (1, …) each, as ``NodeWeights`` describes them; empty for those that there are not.
    """
    layout = GateLayout.of(kind.program)
    assert layout is not None, "the cells of the table have one"
    order = ONNX.gates[kind.operator]
    if layout.is_stacked:
        found = _stacked(graph, layout, order, size, weights)
    else:
        found = _separate(graph, order, size, weights)
    return {name: value and graph.node("Unsqueeze", value, graph.whole(0)) for name, value in found.items()}


def _stacked(
    graph: GraphWriter, layout: GateLayout, order: str, size: int, weights: Mapping[str, str]
) -> dict[str, str]:
    """Order the rows of weights that hold all gates."""

    def ordered(name: str) -> str:
        if layout.gates == order:
            return weights[name]
        begins = [layout.gates.index(gate) * size for gate in order]
        whole = graph.whole
        blocks = [graph.node("Slice", weights[name], whole(k), whole(k + size), whole(0)) for k in begins]
        return graph.node("Concat", *blocks, axis=0)

    biases = ""
    if "bias_ih" in weights:
        biases = graph.node("Concat", ordered("bias_ih"), ordered("bias_hh"), axis=0)
    return {"W": ordered("weight_ih"), "R": ordered("weight_hh"), "B": biases, "P": ""}


def _separate(graph: GraphWriter, order: str, size: int, weights: Mapping[str, str]) -> dict[str, str]:
    """Join weights of which each gate has its own."""

    def joined(kind: str, letters: str) -> str:
        return graph.node("Concat", *(weights[kind + letter] for letter in letters), axis=-1)

    def turned(kind: str) -> str:
        return graph.node("Transpose", joined(kind, order), perm=[1, 0])

    biases, peepholes = "", ""
    if f"b_{order[0]}" in weights:
        zeros = graph.store.constant("zeros", np.zeros(len(order) * size, graph.store.dtype))
        biases = graph.node("Concat", joined("b_", order), zeros, axis=0)
    if f"p_{ONNX.peepholes[0]}" in weights:
        peepholes = joined("p_", ONNX.peepholes)
    return {"W": turned("W_"), "R": turned("U_"), "B": biases, "P": peepholes}
