"""Floats between DequantizeLinear and QuantizeLinear: in whole numbers where that is right, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from recurra.graph.graph import Graph
from recurra.graph.quantized_pairs import in_whole_numbers
from tests.graph.settling.settled import F, check, declared, model, node

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(2, 4, 6, 8)).astype(F)
SCALES = {"s": np.float32(0.03), "o": np.uint8(120), "t": np.float32(0.02), "u": np.uint8(0), "i": np.int8(0)}


def whole(*shape):
    return RANDOM.integers(-64, 65, shape).astype(np.int8)


def back(numbers, scale, zero, result, **attributes):
    return node("DequantizeLinear", f"{numbers},{scale},{zero}", result, **attributes)


PAIR = [node("QuantizeLinear", "x,s,o", "q"), back("q", "s", "o", "f")]
END = [node("QuantizeLinear", "g,t,u", "h"), back("h", "t", "u", "y")]
WEIGHTS = {
    **SCALES, "w": whole(5, 4, 3, 3), "ws": RANDOM.uniform(0.001, 0.01, 5).astype(F), "wz": np.zeros(5, np.int8),
    "b": RANDOM.integers(-3000, 3000, 5).astype(np.int32), "m": whole(8, 7), "ms": np.float32(0.01),
    "n": np.array([2, 4, 48]), "axis": np.array([1]), "two": np.array([0, 2]),
}  # fmt: skip
WEIGHTS["bs"] = WEIGHTS["s"] * WEIGHTS["ws"]
WEIGHTS["bz"] = np.zeros(5, np.int32)
CONVOLUTION = [back("w", "ws", "wz", "wf", axis=0), back("b", "bs", "bz", "bf", axis=0)]

# Nodes between the pairs, and the operator that stands in their place.
BETWEEN = {
    "a convolution": ([*CONVOLUTION, node("Conv", "f,wf,bf", "g", pads=(1, 1, 1, 1))], "QLinearConv"),
    "a convolution and a ReLU": ([*CONVOLUTION, node("Conv", "f,wf", "c"), node("Relu", "c", "g")], "QLinearConv"),
    "a product": ([back("m", "ms", "i", "mf"), node("MatMul", "f,mf", "g")], "QLinearMatMul"),
    "a sum": ([node("Add", "f,f", "g")], "QLinearAdd"),
    "a product of two": ([node("Mul", "f,f", "g")], "QLinearMul"),
    "the logistic function": ([node("Sigmoid", "f", "g")], "QLinearSigmoid"),
    "a leaky ReLU": ([node("LeakyRelu", "f", "g", alpha=0.2)], "QLinearLeakyRelu"),
    "means": ([node("GlobalAveragePool", "f", "g")], "QLinearGlobalAveragePool"),
    "means of windows": ([node("AveragePool", "f", "g", kernel_shape=(2, 2))], "QLinearAveragePool"),
    "softmax": ([node("Softmax", "f", "g")], "QLinearSoftmax"),
    "parts": ([node("Concat", "f,f", "g", axis=1)], "QLinearConcat"),
}


def operators(nodes, tensors, outputs="y"):
    graph = Graph(declared("x"), declared(*outputs.split(",")), tuple(nodes), tensors)
    return [each.operator for each in in_whole_numbers(graph, 24).nodes]


@pytest.mark.parametrize("name", BETWEEN)
def test_operators_between_pairs_become_one(name, monkeypatch):
    between, wanted = BETWEEN[name]
    nodes = [*PAIR, *between, *END]
    assert operators(nodes, WEIGHTS) == ["QuantizeLinear", wanted, "DequantizeLinear"]
    made = model(nodes, WEIGHTS)
    check(made, X, atol=float(WEIGHTS["t"]) if name in ("means", "means of windows", "softmax") else 0)
    monkeypatch.setattr("recurra.graph.build.in_whole_numbers", lambda graph, opset: graph)
    in_floats = model(nodes, WEIGHTS)(X)
    np.testing.assert_allclose(made(X), in_floats, rtol=0, atol=1.01 * float(WEIGHTS["t"]))
    assert np.abs(in_floats).max() > 5 * WEIGHTS["t"]


def test_a_linear_map(monkeypatch):
    bias = RANDOM.integers(-3000, 3000, 7).astype(np.int32)
    tensors = {**WEIGHTS, "n": np.array([48, 8]), "b": bias, "bs": WEIGHTS["s"] * WEIGHTS["ms"], "bz": np.int32(0)}
    start = [
        node("Reshape", "x,n", "r"), node("QuantizeLinear", "r,s,o", "q"), back("q", "s", "o", "f"),
        back("m", "ms", "i", "mf"), back("b", "bs", "bz", "bf"),
    ]  # fmt: skip
    for last in ([node("Gemm", "f,mf,bf", "g"), *END], [node("Gemm", "f,mf,bf")], [node("MatMul", "f,mf")]):
        nodes = [*start, *last]
        monkeypatch.undo()
        assert {"QGemm", "MatMulIntegerToFloat"} & set(operators(nodes, tensors))
        made = model(nodes, tensors)
        check(made, X, atol=0)
        monkeypatch.setattr("recurra.graph.build.in_whole_numbers", lambda graph, opset: graph)
        np.testing.assert_allclose(made(X), model(nodes, tensors)(X), rtol=1e-5, atol=1.01 * float(WEIGHTS["t"]))


MOVES = {
    "maxima": node("MaxPool", "f", "g", kernel_shape=(2, 2)),
    "another shape": node("Reshape", "f,n", "g"),
    "another order": node("Transpose", "f", "g", perm=(0, 2, 3, 1)),
    "one dimension more": node("Unsqueeze", "f,axis", "g"),
    "a part": node("Gather", "f,two", "g", axis=1),
    "a matrix": node("Flatten", "f", "g"),
}


@pytest.mark.parametrize("name", MOVES)
def test_operators_that_only_move_numbers(name):
    end = [node("QuantizeLinear", "g,s,o", "h"), back("h", "s", "o", "y")]
    nodes = [*PAIR, MOVES[name], *end]
    assert operators(nodes, WEIGHTS) == ["QuantizeLinear", MOVES[name].operator, "DequantizeLinear"]
    rest = 2 if name == "a part" else 1
    check(model(nodes, WEIGHTS), X, runs=3 if rest == 2 else 1, atol=0)
    assert operators([*PAIR, MOVES[name], *END], WEIGHTS).count("DequantizeLinear") == 2  # another scale


CONVOLVED = [*CONVOLUTION, node("Conv", "f,wf,bf", "g")]
KEPT = {
    "the floats are an output": ([*PAIR, *CONVOLVED, *END], {}, "y,g"),
    "two nodes read the floats": ([*PAIR, *CONVOLVED, *END, node("Neg", "g", "z")], {}, "y,z"),
    "a scale may change": ([*PAIR, node("Abs", "x", "a"), *CONVOLVED, node("QuantizeLinear", "g,a", "y")], {}, "y"),
    "the bias has another scale": ([*PAIR, *CONVOLVED, *END], {"bs": WEIGHTS["ws"]}, "y"),
    "weights by another axis": (
        [*PAIR, back("w", "as", "az", "wf", axis=1), node("Conv", "f,wf", "g"), *END],
        {"as": WEIGHTS["ws"][:4], "az": np.zeros(4, np.int8)}, "y",
    ),
    "numbers of 16 bits": ([*PAIR, *CONVOLVED, *END], {"u": np.uint16(0)}, "y"),
    "a ReLU over a range that begins elsewhere": (
        [*PAIR, *CONVOLUTION, node("Conv", "f,wf", "c"), node("Relu", "c", "g"), *END], {"u": np.uint8(1)}, "y",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_floats_stay_floats(name):
    nodes, others, outputs = KEPT[name]
    assert "Conv" in operators(nodes, {**WEIGHTS, **others}, outputs)
    assert "QLinearConv" not in operators(nodes, {**WEIGHTS, **others}, outputs)


def test_left_out_zero_points_are_zeros():
    nodes = [node("QuantizeLinear", "x,s", "q"), node("DequantizeLinear", "q,s,u", "f"), *BETWEEN["a product"][0]]
    nodes += [node("QuantizeLinear", "g,t", "h"), node("DequantizeLinear", "h,t", "y")]
    made = model(nodes, WEIGHTS)
    check(made, np.abs(X), atol=0)
    assert "QLinearMatMul" in operators(nodes, WEIGHTS)


def test_damaged_nodes_are_left_alone():
    """Those without inputs or outputs, which the builder names."""
    for broken in (
        node("Conv", "f", "g"), node("Add", "f", "g"), node("DequantizeLinear", "q", "f"),
        replace(node("DequantizeLinear", "q,s,o"), outputs=()), replace(node("Mul", "f,f"), outputs=()),
        replace(node("QuantizeLinear", "f,t,u"), outputs=()), replace(node("Concat", "f"), inputs=()),
    ):  # fmt: skip
        assert operators([*PAIR, broken, *END], WEIGHTS)
