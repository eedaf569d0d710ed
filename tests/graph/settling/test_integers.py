"""Settled products and convolutions of 8-bit numbers beside the operators' own functions: equal to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from recurra.errors import OnnxError
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
    check(model(nodes, tensors, "y,f"), X, atol=0)


@pytest.mark.parametrize("bias", [(19,), (1, 19), (), None])
def test_onnxruntimes_linear_maps(bias):
    c = "" if bias is None else "c"
    nodes = [
        node("Reshape", "x,n", "r"),
        node("QuantizeLinear", "r,s,o", "q"),
        replace(of_microsoft("QGemm", f"q,s,o,w,v,z,{c},t,u", "y"), attributes={"transB": 1}),
        replace(of_microsoft("QGemm", f"q,s,o,w,v,z,{c}", "f"), attributes={"transB": 1}),
    ]
    tensors = {
        "s": np.float32(0.03), "o": np.uint8(120), "w": whole(19, 37), "v": scale(19), "z": whole(19),
        "t": np.float32(0.2), "u": np.int8(-9), "n": np.array([15, 37]),
    }  # fmt: skip
    if bias is not None:
        tensors["c"] = RANDOM.integers(-3000, 3000, bias).astype(np.int32)
    check(model(nodes, tensors, "y,f"), X, atol=0)


@pytest.mark.parametrize("follower", ["Relu", "Neg"])
@pytest.mark.parametrize("scales", [(), (1,), (1, 1, 1), (19,)])
def test_what_follows_a_product_joins_it(scales, follower):
    nodes = [
        node("DynamicQuantizeLinear", "x", "q,s,o"),
        node("Mul", "s,v", "sv"),
        node("MatMulInteger", "q,w,o,z", "m"),
        node("Cast", "m", "f", to=1),
        node("Mul", "f,sv", "p"),
        node("Add", "b,p", "a"),
        node(follower, "a"),
    ]
    check(model(nodes, {"w": whole(37, 19), "v": scale(*scales), "b": scale(19), "z": np.int8(0)}), X, atol=0)


PICTURES = RANDOM.normal(size=(2, 6, 9, 14)).astype(F)
WINDOWS = {
    "a plain one": ({}, (5, 6, 3, 3)),
    "groups, strides, dilations and padding": (
        {"group": 2, "strides": (2, 1), "dilations": (1, 2), "pads": (1, 2, 0, 1)}, (4, 3, 3, 2),
    ),
    "one filter for each channel": ({"group": 6, "pads": (1, 1, 1, 1)}, (6, 1, 3, 3)),
    "single elements": ({}, (5, 6, 1, 1)),
    "as much padding as needed": ({"auto_pad": "SAME_LOWER", "strides": (2, 3)}, (5, 6, 3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("weights", [np.int8, np.uint8])
@pytest.mark.parametrize("name", WINDOWS)
def test_convolutions_of_a_dynamically_quantized_graph(name, weights):
    """As onnxruntime's quantizer writes them: an exact convolution, float32, scales, a bias, a ReLU."""
    attributes, shape = WINDOWS[name]
    for zeros in (None, (), shape[:1]):
        nodes = [
            node("DynamicQuantizeLinear", "x", "q,s,o"),
            node("Mul", "s,v", "sv"),
            node("ConvInteger", "q,w,o" if zeros is None else "q,w,o,z", "m", **attributes),
            node("Cast", "m", "f", to=1),
            node("Mul", "f,sv", "p"),
            node("Add", "p,b", "a"),
            node("Relu", "a"),
        ]
        tensors = {"w": whole(*shape, dtype=weights), "v": scale(), "b": scale(1, shape[0], 1, 1)}
        if zeros is not None:
            tensors["z"] = whole(*zeros, dtype=weights)
        check(model(nodes, tensors), PICTURES, atol=0)


@pytest.mark.parametrize("name", WINDOWS)
def test_convolutions_of_a_statically_quantized_graph(name):
    attributes, shape = WINDOWS[name]
    nodes = [
        node("QuantizeLinear", "x,s,o", "q"),
        node("QLinearConv", "q,s,o,w,v,z,t,u,b", "y", **attributes),
        node("QLinearConv", "y,t,u,k,s,g,t,h", "last"),
    ]
    tensors = {
        "s": np.float32(0.03), "o": np.uint8(120), "w": whole(*shape), "v": scale(shape[0]), "z": whole(shape[0]),
        "t": np.float32(0.2), "u": np.int8(-9), "b": RANDOM.integers(-9999, 9999, shape[0]).astype(np.int32),
        "k": whole(3, shape[0], 1, 1), "g": np.int8(3), "h": np.uint8(7),
    }  # fmt: skip
    check(model(nodes, tensors, "y,last"), PICTURES, atol=0)


def test_convolutions_over_one_dimension_and_sums_that_are_an_output():
    nodes = [
        node("QuantizeLinear", "x,s,o", "q"),
        node("ConvInteger", "q,w,o", "sums", pads=(2, 1), strides=(2,)),
        node("QLinearConv", "q,s,o,w,s,g,s,u", "y", pads=(2, 1), strides=(2,)),
    ]
    tensors = {"s": np.float32(0.03), "o": np.int8(5), "w": whole(4, 5, 7), "g": np.int8(0), "u": np.uint8(9)}
    check(model(nodes, tensors, "sums,y"), X, atol=0)


def test_convolutions_that_do_not_fit_are_refused_as_ever():
    for tensors, inputs in (
        ({"w": whole(4, 4, 7), "o": np.uint8(5)}, "q,w,o"),
        ({"w": whole(4, 5, 99), "o": np.uint8(5)}, "q,w,o"),
        ({"w": whole(4, 5, 7), "o": np.int8(5)}, "q,w,o"),
        ({"w": whole(4, 5, 7), "o": np.uint8(5), "z": whole(3)}, "q,w,o,z"),
        ({"w": whole(4, 5), "o": np.uint8(5)}, "q,w,o"),
    ):
        nodes = [node("QuantizeLinear", "x,s", "q"), node("ConvInteger", inputs)]
        with pytest.raises(OnnxError, match="ConvInteger"):
            model(nodes, {"s": np.float32(0.03), **tensors})(X)


def test_numbers_that_are_not_finite_do_no_harm():
    nodes = [node("DynamicQuantizeLinear", "x", "q,s,o"), node("MatMulInteger", "q,w,o", "y")]
    made = model(nodes, {"w": whole(37, 19)})
    for value in (np.nan, np.inf, -np.inf, 3e38):
        x = X.copy()
        x[0, 0, 0] = value
        made(x)
    np.testing.assert_array_equal(made(X), made(X))
