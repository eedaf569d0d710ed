"""Graphs that mutation begins with: a cell and an inner graph, and nearly every operator alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from recurra import cells
from recurra.compiler import trace
from recurra.errors import RecurraError
from recurra.graph.build import build
from recurra.graph.declaration import Declaration
from recurra.graph.file import graph_contents
from recurra.graph.graph import Attribute, Graph, GraphNode, ModelGraph
from recurra.graph.table import domains, rows
from recurra.model.safetensors import pack
from recurra.program import to_json

F = np.dtype(np.float32)
OPSET = 20
_ATTRIBUTES: dict[str, Attribute] = {
    "axis": 1, "to": 1, "kernel_shape": (2, 2), "equation": "ij,jk->ik", "perm": (0, 2, 1), "blocksize": 1,
    "num_outputs": 1, "hidden_size": 2,
}  # fmt: skip
_TENSORS = {
    "w": np.ones((3, 4), F), "v": np.ones(3, F), "n": np.array([1, 2], np.int64), "k": np.ones((1, 3, 2, 2), F),
    "s": np.array(1, np.int64),
}  # fmt: skip
_SHAPES = ((2, 3), (1, 3, 4), (1, 3, 4, 4))
_FURTHER = ("", "w", "v", "n", "k", "s", "ww", "vv", "nn", "vvv", "vvvv")  # tensors, as inputs beside x
_LOOPS = ("Loop", "Scan", "If")  # they need inner graphs; a Loop may go on for ever


def graphs() -> Iterator[ModelGraph]:
    """A recurrent graph, one with an inner graph, and a graph for each operator, with inputs that fit."""
    yield _recurrent()
    yield _branching()
    for domain in domains():
        for name in dict.fromkeys(row.name for row in rows(domain)):
            found = None if name in _LOOPS or domain == "recurra" else _alone(name, domain)
            if found is not None:
                yield found


def files_of_graphs() -> Iterator[bytes]:
    """The graphs as files."""
    for graph in graphs():
        yield b"".join(bytes(piece) for piece in pack(*graph_contents(graph)))


def _recurrent() -> ModelGraph:
    program = trace(cells.gru, {})
    weights = {"a": np.ones((6, 3), F), "b": np.ones((6, 2), F), "c": np.ones(6, F), "d": np.ones(6, F)}
    attributes: dict[str, Attribute] = {"program": to_json(program), "sizes": (3, 2, 0), "reverse": 0}
    nodes = (
        GraphNode("CellScan", ("x", "", "h_in", *"abcd"), ("o", "h_out"), attributes, "gru", "recurra"),
        GraphNode("Sigmoid", ("o",), ("y",), {}),
    )
    inputs = (Declaration("x", ("T", "B", 3), F), Declaration("h_in", ("B", 2), F))
    outputs = (Declaration("y", ("T", "B", 2), F), Declaration("h_out", ("B", 2), F))
    return ModelGraph(Graph(inputs, outputs, nodes, weights), OPSET)


def _branching() -> ModelGraph:
    yes = Graph((), (Declaration("z", None, F),), (GraphNode("Add", ("x", "w"), ("z",), {}),), {"w": np.ones(2, F)})
    no = Graph((), (Declaration("z", None, F),), (GraphNode("Elu", ("x",), ("z",), {"alpha": 0.5}),), {})
    nodes = (GraphNode("If", ("flag",), ("y",), {"then_branch": yes, "else_branch": no}),)
    inputs = (Declaration("x", (2, "n"), F), Declaration("flag", (), np.dtype(bool), True))
    return ModelGraph(Graph(inputs, (Declaration("y", None, F),), nodes, {"flag": np.array(True)}), OPSET)


def _alone(name: str, domain: str) -> ModelGraph | None:
    """A graph of one operator that computes something; None if none of those that are tried does."""
    known = {each for row in rows(domain) if row.name == name for each in row.attributes}
    attributes = {key: value for key, value in _ATTRIBUTES.items() if key in known}
    for shape, extra, given in product(_SHAPES, _FURTHER, (attributes, {})):
        tensors = {each: _TENSORS[each] for each in extra}
        node = GraphNode(name, ("x", *extra), ("y",), given, "", domain)
        graph = Graph((Declaration("x", shape, F),), (Declaration("y", None, None),), (node,), tensors)
        try:
            build(ModelGraph(graph, OPSET), "seed")(np.ones(shape, F))
        except RecurraError:
            continue
        return ModelGraph(graph, OPSET)
    return None
