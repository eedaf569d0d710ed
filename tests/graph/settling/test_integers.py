"""Settled products of 8-bit numbers beside the operators' own functions: equal to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from tests.graph.settling.settled import F, check, model, node

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(3, 5, 37)).astype(F)


def whole(*shape, dtype=np.int8):
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max + 1, shape).astype(dtype)


def scale(*shape):
    return RANDOM.uniform(0.001, 0.1, shape).astype(F)


def of_microsoft(*arguments):
    return replace(node(*arguments), domain="com.microsoft")


@pytest.mark.parametrize("weights", [np.int8, np.uint8])
@pytest.mark.parametrize("zeros", [(), (1,), (19,), None])
def test_the_products_of_a_dynamically_quantized_graph(weights, zeros):
    """As onnxruntime's quantizer writes it: x by its own range, an exact product, float32, scales, a bias."""
    z = "" if zeros is None else ",z"
    nodes = [
        node("DynamicQuantizeLinear", "x", "q,s,o"),
        node("MatMulInteger", f"q,w,o{z}", "m"),
        node("Cast", "m", "f", to=1),
        node("Mul", "s,v", "sv"),
        node("Mul", "f,sv", "p"),
        node("Add", "p,b"),
    ]
    tensors = {"w": whole(37, 19, dtype=weights), "v": scale(), "b": scale(19)}
    if zeros is not None:
        tensors["z"] = whole(*zeros, dtype=weights)
    check(model(nodes, tensors), X, atol=0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_an_integer_product_that_is_an_output(dtype):
    nodes = [node("Cast", "x", "a", to=3 if dtype == np.int8 else 2), node("MatMulInteger", "a,w,o,z")]
    tensors = {"w": whole(37, 19), "o": whole(dtype=dtype), "z": whole(19)}
    check(model(nodes, tensors), np.abs(X * 20), runs=2, atol=0)


@pytest.mark.parametrize("columns", [(), (19,)])
def test_onnxruntimes_product_of_floats(columns):
    made = of_microsoft("DynamicQuantizeMatMul", "x,w,v,z,b")
    tensors = {"w": whole(37, 19), "v": scale(*columns), "z": whole(*columns), "b": scale(19)}
    check(model([made], tensors), X, atol=0)


def test_quantized_results():
    nodes = [
        node("QuantizeLinear", "x,s,o", "q"),
        node("QLinearMatMul", "q,s,o,w,v,z,t,u", "y"),
        of_microsoft("MatMulIntegerToFloat", "q,w,s,v,o,z,b", "f"),
    ]
    tensors = {
        "s": np.float32(0.03), "o": np.uint8(120), "w": whole(37, 19), "v": scale(19), "z": whole(19),
        "t": np.float32(0.2), "u": np.uint8(99), "b": scale(19),
    }  # fmt: skip
    check(model(nodes, tensors, "y,f"), X, runs=2, atol=0)


def test_numbers_that_are_not_finite_do_no_harm():
    nodes = [node("DynamicQuantizeLinear", "x", "q,s,o"), node("MatMulInteger", "q,w,o", "y")]
    made = model(nodes, {"w": whole(37, 19)})
    for value in (np.nan, np.inf, -np.inf, 3e38):
        x = X.copy()
        x[0, 0, 0] = value
        made(x)
    np.testing.assert_array_equal(made(X), made(X))
