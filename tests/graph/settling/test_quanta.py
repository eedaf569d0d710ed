"""Settled operators on 8-bit numbers beside the operators' own functions: equal, means to one quantum."""

from dataclasses import replace

import numpy as np
import pytest

from tests.graph.settling.settled import F, check, model, node

RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(2, 6, 8, 10)).astype(F)
SCALES = {
    "s": np.float32(0.03), "o": np.uint8(120), "t": np.float32(0.05), "u": np.int8(-9), "v": np.float32(0.004),
    "z": np.uint8(3),
}  # fmt: skip
TO = node("QuantizeLinear", "x,s,o", "q")


def of_microsoft(*arguments, **attributes):
    return replace(node(*arguments, **attributes), domain="com.microsoft")


ONE = {
    "rounding": node("QuantizeLinear", "x,t,u"),
    "rounding without a zero point": node("QuantizeLinear", "x,t"),
    "rounding to a given type": node("QuantizeLinear", "x,t", output_dtype=3),
    "rounding channels": node("QuantizeLinear", "x,cs,cz", axis=1),
    "rounding last features": node("QuantizeLinear", "x,fs,fz", axis=-1),
    "back": node("DequantizeLinear", "q,s,o"),
    "channels back": node("DequantizeLinear", "q,cs,cu", axis=1),
    "a sum": of_microsoft("QLinearAdd", "q,s,o,q2,t,u,v,z"),
    "a product": of_microsoft("QLinearMul", "q,s,o,q2,t,u,v"),
    "a square": of_microsoft("QLinearMul", "q,s,o,q,s,o,t,u"),
    "a sum with a row": of_microsoft("QLinearAdd", "q,s,o,row,t,u,v,z"),
    "a product with channels": of_microsoft("QLinearMul", "column,t,u,q,s,o,v,z"),
    "the logistic function": of_microsoft("QLinearSigmoid", "q,s,o,v,z"),
    "a leaky ReLU": of_microsoft("QLinearLeakyRelu", "q,s,o,t,u", alpha=0.3),
    "concatenated channels": of_microsoft("QLinearConcat", "t,u,q,s,o,q2,t,u,q,t,o", axis=1),
    "concatenated features": of_microsoft("QLinearConcat", "v,z,q,s,o,q2,t,u", axis=-1),
    "one part": of_microsoft("QLinearConcat", "v,z,q,s,o", axis=0),
    "maxima": node("MaxPool", "q", kernel_shape=(3, 2), strides=(2, 1), pads=(1, 0, 0, 1)),
    "maxima of signed numbers": node("MaxPool", "q2", kernel_shape=(2, 2)),
}
TENSORS = {
    **SCALES, "cs": RANDOM.uniform(0.01, 0.1, 6).astype(F), "cz": RANDOM.integers(-9, 9, 6).astype(np.int8),
    "fs": RANDOM.uniform(0.01, 0.1, 10).astype(F), "fz": RANDOM.integers(0, 99, 10).astype(np.uint8),
    "cu": RANDOM.integers(0, 99, 6).astype(np.uint8),
    "row": RANDOM.integers(-99, 99, 10).astype(np.int8),
    "column": RANDOM.integers(-99, 99, (2, 6, 1, 1)).astype(np.int8),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_one_operator(name):
    last = ONE[name]
    nodes = [TO, node("QuantizeLinear", "x,t,u", "q2"), last]
    check(model(nodes, TENSORS), X, atol=0)


NEAR = {
    "means of windows": of_microsoft(
        "QLinearAveragePool", "q,s,o,v,z", kernel_shape=(3, 2), pads=(1, 0, 0, 1), count_include_pad=1
    ),
    "means of all": of_microsoft("QLinearGlobalAveragePool", "q,s,o,v,z"),
    "softmax": of_microsoft("QLinearSoftmax", "q,s,o,v,z", axis=-1, opset=24),
}


@pytest.mark.parametrize("name", NEAR)
def test_sums_in_another_order(name):
    check(model([TO, NEAR[name]], TENSORS), X, atol=1)


def test_cases_that_are_left_to_numpy():
    for last in (
        of_microsoft("QLinearSoftmax", "q,s,o,v,z", axis=1, opset=11),
        of_microsoft("QLinearGlobalAveragePool", "q,s,o,v,z", channels_last=1),
        of_microsoft("QLinearWhere", "yes,q,s,o,q,t,o,v,z"),
        node("QuantizeLinear", "x,blocks", axis=1, block_size=3),
    ):
        tensors = {**TENSORS, "yes": np.arange(10) < 4, "blocks": RANDOM.uniform(0.1, 1, (2, 2, 8, 10)).astype(F)}
        check(model([TO, last], tensors), X, runs=2, atol=0)
