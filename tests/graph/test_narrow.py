"""Graphs with narrower weights: which are changed, by how much, and how files hold them."""

import numpy as np
import pytest

from recurra import runtime
from recurra.errors import FileFormatError
from recurra.graph.build import build
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Graph, GraphNode, ModelGraph
from recurra.graph.narrow import narrowed
from recurra.model.quantize import FORMATS

F = np.dtype(np.float32)
DRAW = np.random.default_rng(0)
TENSORS = {
    "table": DRAW.standard_normal((30, 40), F), "matrix": DRAW.standard_normal((40, 20), F),
    "bias": DRAW.standard_normal(20, F), "added": DRAW.standard_normal((1, 20), F),
    "kernel": DRAW.standard_normal((6, 20, 3), F),
}  # fmt: skip
NODES = (
    GraphNode("Gather", ("table", "x"), ("a",), {"axis": 0}),
    GraphNode("MatMul", ("a", "matrix"), ("b",), {}),
    GraphNode("Add", ("b", "bias"), ("c",), {}),
    GraphNode("Add", ("c", "added"), ("d",), {}),
    GraphNode("Transpose", ("d",), ("e",), {"perm": (0, 2, 1)}),
    GraphNode("Conv", ("e", "kernel"), ("y",), {}),
)
MODEL = ModelGraph(
    Graph((Declaration("x", ("B", "T"), np.dtype(np.int64)),), (Declaration("y", None, F),), NODES, TENSORS), 20
)
X = DRAW.integers(0, 30, (2, 9))


@pytest.mark.parametrize("to", FORMATS)
def test_numbers_and_files(to, tmp_path):
    exact, made = build(MODEL, "m")(X), build(narrowed(MODEL, to), "m")
    output = made(X)
    error = np.abs(output - exact).max() / np.abs(exact).max()
    assert 0 < error < (0.01 if to == "bf16" else 0.03)
    build(MODEL, "m").save(tmp_path / "whole")
    made.save(tmp_path / "narrow")
    assert np.array_equal(runtime.load(tmp_path / "narrow")(X), output)
    sizes = [sum(array.nbytes for array in TENSORS.values() if array.ndim > 1 and array.size > 20)]
    saved = (tmp_path / "whole").stat().st_size - (tmp_path / "narrow").stat().st_size
    assert saved > sizes[0] * (0.45 if to == "bf16" else 0.5)


def test_weights_alone_are_narrower():
    graph = narrowed(MODEL, "int8").graph
    assert {name for name, array in graph.tensors.items() if array.dtype == np.int8} == {
        "table.whole", "matrix.whole", "kernel.whole"
    }  # fmt: skip
    assert np.array_equal(graph.tensors["added"], TENSORS["added"])
    axes = {node.outputs[0]: node.attributes["axis"] for node in graph.nodes if node.operator == "DequantizeLinear"}
    assert axes == {"table": 0, "matrix": 1, "kernel": 0}
    scale = np.abs(TENSORS["matrix"]).max(0) / np.float32(127)
    np.testing.assert_allclose(graph.tensors["matrix.scale"], scale, rtol=1e-6)


def test_an_array_with_another_use_stays():
    nodes = (*NODES[:-1], GraphNode("MatMul", ("d", "tied"), ("f",), {}), GraphNode("Add", ("f", "tied"), ("y",), {}))
    tied = ModelGraph(
        Graph(MODEL.graph.inputs, MODEL.graph.outputs, nodes, {**TENSORS, "tied": np.ones((20, 20), F) / 3}), 20
    )
    assert np.array_equal(narrowed(tied, "int8").graph.tensors["tied"], np.ones((20, 20), F) / 3)


def test_what_cannot_be_narrower():
    with pytest.raises(FileFormatError, match="narrower weights are bf16 or int8, not 'int4'"):
        narrowed(MODEL, "int4")
    wild = {**TENSORS, "matrix": np.full((40, 20), np.inf, F)}
    broken = ModelGraph(Graph(MODEL.graph.inputs, MODEL.graph.outputs, NODES, wild), 20)
    with pytest.raises(FileFormatError, match="weight matrix holds numbers that are not finite, which int8 cannot"):
        narrowed(broken, "int8")
    older = ModelGraph(MODEL.graph, 11)
    with pytest.raises(FileFormatError, match="opset 11 has no scales for rows"):
        narrowed(older, "int8")
