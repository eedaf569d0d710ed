"""Graphs with narrower weights: matrices rounded to bfloat16, or stored as 8-bit numbers with a scale for each row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recurra.errors import FileFormatError
from recurra.graph.graph import Graph, GraphNode, ModelGraph
from recurra.graph.table import Array
from recurra.graph.writing import GraphNodes
from recurra.model import Weight
from recurra.model.quantize import FORMATS, quantized

# The places of the inputs of operators that may be weights; None where all may be.
_WEIGHTS: dict[str, tuple[int, ...] | None] = {
    "MatMul": (0, 1), "Gemm": (0, 1), "Conv": (1,), "ConvTranspose": (1,), "Gather": (0,), "CellScan": None,
    "RNN": (1, 2), "GRU": (1, 2), "LSTM": (1, 2),
}  # fmt: skip
_OLDEST_SCALES = 13  # the opset in which DequantizeLinear has a scale for each row


def narrowed(model: ModelGraph, to: str) -> ModelGraph:
    """Make the graph whose matrices are narrower where they are weights; all is still computed in float32.

    Args:
        model: the graph.
        to: ``"bf16"`` rounds to the nearest bfloat16, which its file then stores; ``"int8"`` stores each row as whole
            numbers from -127 to 127 and a scale, as ``recurra.model.quantize`` does, and a DequantizeLinear node that
            is computed once, when the graph is built. The rows of a product's right operand are its columns.

    Raises:
        FileFormatError: ``to`` is something else, or a weight cannot be narrower.
    """
    if to not in FORMATS:
        raise FileFormatError(f"narrower weights are {' or '.join(FORMATS)}, not {to!r}")
    graph = model.graph
    axes = _weights_of(graph)
    if to == "int8" and axes and model.opset < _OLDEST_SCALES:
        raise FileFormatError(f"opset {model.opset} has no scales for rows, which 8-bit weights need")
    tensors = dict(graph.tensors)
    given = (each.name for each in graph.inputs)
    made = GraphNodes((*given, *tensors, *(name for node in graph.nodes for name in node.outputs)))
    for name, axis in axes.items():
        rows = np.moveaxis(tensors[name], axis, 0)
        try:
            weight = quantized(Weight.of(np.ascontiguousarray(rows)), to)
        except ValueError as error:
            raise FileFormatError(f"weight {name} {error}") from None
        if weight.scale is None:
            tensors[name] = _known(np.moveaxis(weight.values(), 0, axis))
            continue
        whole = made.tensor(_known(np.moveaxis(weight.data, 0, axis)), f"{name}.whole")
        scale = made.tensor(_known(weight.scale), f"{name}.scale")
        made.nodes.append(GraphNode("DequantizeLinear", (whole, scale), (name,), {"axis": axis}, name))
        del tensors[name]
    return replace(model, graph=replace(graph, tensors={**tensors, **made.tensors}, nodes=(*made.nodes, *graph.nodes)))


def _weights_of(graph: Graph) -> dict[str, int]:
    """The float32 matrices that are weights alone, with the axis of their rows."""
    ends = {each.name for each in (*graph.inputs, *graph.outputs)}
    axes: dict[str, int] = {}
    others: set[str] = set(ends)
    for node in graph.nodes:
        places = _WEIGHTS.get(node.operator, ())
        for place, name in enumerate(node.inputs):
            array = graph.tensors.get(name)
            if array is None or array.dtype != np.float32 or array.ndim < 2 or not array.size:
                continue
            if places is not None and place not in places:
                others.add(name)
                continue
            is_right = node.operator in ("MatMul", "Gemm") and place == 1
            axes.setdefault(name, array.ndim - 1 if is_right and not node.attributes.get("transB") else 0)
        others.update(node.names_read_inside())
    return {name: axis for name, axis in axes.items() if name not in others}


def _known(array: Array) -> Array:
    own = np.ascontiguousarray(array)
    own.flags.writeable = False
    return own
