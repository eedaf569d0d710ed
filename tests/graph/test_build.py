"""Graphs written by hand: they are built and run without onnx."""

import subprocess
import sys

import numpy as np
import pytest

from recurra.errors import OnnxError
from recurra.graph.build import build
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Graph, GraphNode, ModelGraph

F = np.dtype(np.float32)
W = np.arange(6, dtype=F).reshape(3, 2)


def declared(*names, shape=None, is_optional=False):
    return tuple(Declaration(name, shape, F, is_optional) for name in names)


def model(nodes, tensors, inputs=None, opset=20):
    return build(ModelGraph(Graph(inputs or declared("x"), declared("y"), tuple(nodes), tensors), opset), "m")


def test_a_graph_computes():
    made = model(
        [GraphNode("MatMul", ("x", "W"), ("p",), {}), GraphNode("Add", ("p", "b"), ("y",), {})], {"W": W, "b": W[0]}
    )
    x = np.ones((2, 3), F)
    np.testing.assert_array_equal(made(x), x @ W + W[0])
    assert made.source.graph.tensors["W"] is W


def test_an_optional_input_has_its_default():
    inputs = (*declared("x"), *declared("b", is_optional=True))
    made = model([GraphNode("Add", ("x", "b"), ("y",), {})], {"b": W}, inputs)
    np.testing.assert_array_equal(made(W), 2 * W)
    np.testing.assert_array_equal(made(W, b=-W), 0 * W)


def test_an_inner_graph_reads_outer_values():
    body = Graph((), declared("z"), (GraphNode("Add", ("x", "W"), ("z",), {}),), {})
    other = Graph((), declared("z"), (GraphNode("Neg", ("x",), ("z",), {}),), {})
    made = model(
        [GraphNode("If", ("yes",), ("y",), {"then_branch": body, "else_branch": other})],
        {"W": W, "yes": np.array(True)},
    )
    np.testing.assert_array_equal(made(W), W + W)


def test_what_is_not_known_is_named():
    with pytest.raises(OnnxError, match=r"m cannot be loaded: operators that are not supported: Frob ×1$"):
        model([GraphNode("Frob", ("x",), ("y",), {}, name="a")], {})
    with pytest.raises(OnnxError, match=r"not supported: com\.example\.Add ×1$"):
        model([GraphNode("Add", ("x", "x"), ("y",), {}, domain="com.example")], {})
    with pytest.raises(OnnxError, match="opset 99"):
        model([GraphNode("Relu", ("x",), ("y",), {})], {}, opset=99)


def test_refusals_are_counted_by_operator():
    nodes = [
        *(GraphNode("Frob", ("x",), (f"a{number}",), {}, f"n{number}") for number in range(22)),
        *(GraphNode("Det", ("x",), (f"b{number}",), {}) for number in range(21)),
        *(GraphNode("Relu", ("x",), (f"c{number}",), {"slope": 1.0}) for number in range(3)),
        GraphNode("Cast", ("x",), ("y",), {"to": 16}, "last"),
    ]
    with pytest.raises(OnnxError) as caught:
        model(nodes, {})
    assert str(caught.value) == (
        "m cannot be loaded: operators that are not supported: Frob ×22, Det ×21; Relu ×3: attribute slope is not "
        "supported; node 'last' (Cast): attribute to: element type bfloat16 is not supported"
    )


def test_no_onnx_and_no_torch_is_imported():
    code = "import sys, recurra.graph.build; print(sorted({'onnx', 'torch', 'google'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
