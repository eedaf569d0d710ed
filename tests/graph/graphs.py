"""Small graphs for the tests: built by hand, without onnx and torch."""

import numpy as np

from recurra import cells
from recurra.compiler import trace
from recurra.graph.build import build
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Graph, GraphNode, ModelGraph
from recurra.program import to_json

F = np.dtype(np.float32)
GRU = trace(cells.gru, {})
SHAPES = ((12, 3), (12, 4), (12,), (12,))


def scan(x, h, outputs, reverse=0):
    """A node of the cell gru with 3 features and 4 units; its weights are the tensors a, b, c and d."""
    attributes = {"program": to_json(GRU), "sizes": (3, 4, 0), "reverse": reverse}
    return GraphNode("CellScan", (x, "", h, *"abcd"), outputs, attributes, "gru", "recurra")


def weights(seed=0):
    draw = np.random.default_rng(seed)
    return dict(zip("abcd", (draw.normal(size=shape).astype(F) for shape in SHAPES), strict=True))


def recurrent_graph(names=("h_in", "h_out"), reverse=0):
    """x (T, B, 3) and a state (B, 4) → relu of the output, and the new state."""
    state, result = names
    inputs = (Declaration("x", ("T", "B", 3), F), Declaration(state, ("B", 4), F))
    outputs = (Declaration("y", ("T", "B", 4), F), Declaration(result, ("B", 4), F))
    nodes = (scan("x", state, ("o", result), reverse), GraphNode("Relu", ("o",), ("y",), {}))
    return ModelGraph(Graph(inputs, outputs, nodes, weights()), 20)


def recurrent_model(names=("h_in", "h_out")):
    return build(recurrent_graph(names), "m")


def branching_graph():
    """A graph with an inner graph, a default, several dtypes and attributes of every kind."""
    yes = Graph((), (Declaration("z", None, F),), (GraphNode("Add", ("x", "w"), ("z",), {}),), {"w": np.ones(2, F)})
    no = Graph((), (Declaration("z", None, F),), (GraphNode("LeakyRelu", ("x",), ("z",), {"alpha": 0.5}),), {})
    nodes = (
        GraphNode("If", ("flag",), ("p",), {"then_branch": yes, "else_branch": no}, "branch"),
        GraphNode("Constant", (), ("k",), {"value": np.array([[2.0], [3.0]], F)}),
        GraphNode("Mul", ("p", "k"), ("m",), {}),
        GraphNode("Transpose", ("m",), ("t",), {"perm": (1, 0)}),
        GraphNode("Cast", ("t",), ("y",), {"to": 11}),
    )
    inputs = (Declaration("x", (2, "n"), F), Declaration("flag", (), np.dtype(bool), True))
    outputs = (Declaration("y", ("n", 2), np.dtype(np.float64)),)
    return ModelGraph(Graph(inputs, outputs, nodes, {"flag": np.array(True)}), 20)
