"""Native convolutions of 8-bit numbers: exact on every instruction set, for any window, padding and zero points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra._native as native
from recurra.graph.operators.integer_products import Centred, integer_convolution
from recurra.graph.operators.quantized import rescaled

F = np.float32


def drawn(random, dtype, *shape):
    limits = np.iinfo(dtype)
    return np.asarray(random.integers(limits.min, limits.max + 1, shape), dtype)


def convolved(x, zero, weights, zeros, y, window, isa="", threads=1, **arrays):
    """Run one step; the arrays are those of what becomes of the sums."""
    names = ("a_scale", "b_scale", "bias", "added", "y_scale", "y_zero")
    result = native.ResultArrays(*(arrays.get(name) for name in names), arrays.get("is_rectified", False))
    groups, strides, dilations, pads = window
    step = native.integer_convolution_step(
        x, zero, weights, zeros, y, groups, strides, dilations, pads[:2], pads[2:], result, threads, isa
    )
    native.Steps([step]).run()
    return y


BYTES = st.sampled_from([np.uint8, np.int8])
TWO = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None, max_examples=60)
@given(
    groups=st.sampled_from([1, 1, 2, 5]),
    channels=st.sampled_from([1, 2, 3, 4, 9]),
    filters=st.sampled_from([1, 2, 3, 4, 9]),
    kernel=st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 3, 5, 8])),
    strides=TWO,
    dilations=TWO,
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    more=st.tuples(st.integers(0, 9), st.sampled_from([0, 3, 20, 300])),
    dtypes=st.tuples(BYTES, BYTES),
    is_narrow=st.booleans(),
    zeros=st.sampled_from(["none", "one", "each"]),
    seed=st.integers(0, 99),
)
def test_convolutions_are_exact(
    groups, channels, filters, kernel, strides, dilations, pads, more, dtypes, is_narrow, zeros, seed
):
    """int32, float32 with scales, a bias and a ReLU, and 8 bits: as the operators' own functions compute them."""
    random = np.random.default_rng(seed)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    sizes = [max(1, need - pads[n] - pads[n + 2] + more[n]) for n, need in enumerate(reach)]
    x, weights = drawn(random, dtypes[0], 2, groups * channels, *sizes), None
    weights = drawn(random, dtypes[1], groups * filters, channels, *kernel)
    if is_narrow:
        weights = weights // 2
    zero = None if zeros == "none" else drawn(random, dtypes[0])
    offsets = {"none": None, "one": drawn(random, dtypes[1]), "each": drawn(random, dtypes[1], groups * filters)}[zeros]
    expected = integer_convolution(
        Centred.of(x, zero, 1), Centred.of(weights, offsets, 0), "NOTSET", dilations, groups, None, pads, strides
    )
    by_filter = (-1, 1, 1)
    b_scale, bias = random.uniform(0.001, 0.01, groups * filters).astype(F), random.normal(size=groups * filters)
    bias, added = bias.astype(F), random.integers(-999, 999, groups * filters).astype(np.int32)
    a_scale, y_scale, y_zero = np.array(0.03, F), np.array(0.2, F), np.array(100, np.uint8)
    floats = np.maximum(expected.astype(F) * (a_scale * b_scale).reshape(by_filter) + bias.reshape(by_filter), 0)
    rounded = rescaled(expected + added.reshape(by_filter), (a_scale * b_scale / y_scale).reshape(by_filter), y_zero)
    window, shape = (groups, strides, dilations, pads), expected.shape
    for isa in native.supported_isas():
        for threads in (1, 3):
            given_arrays = (x, zero, weights, offsets)
            sums = convolved(*given_arrays, np.empty(shape, np.int32), window, isa, threads)
            np.testing.assert_array_equal(sums, expected)
            found = convolved(
                *given_arrays, np.empty(shape, F), window, isa, threads,
                a_scale=a_scale, b_scale=b_scale, bias=bias, is_rectified=True,
            )  # fmt: skip
            np.testing.assert_array_equal(found, floats)
            found = convolved(
                *given_arrays, np.empty(shape, np.uint8), window, isa, threads,
                a_scale=a_scale, b_scale=b_scale, added=added, y_scale=y_scale, y_zero=y_zero,
            )  # fmt: skip
            np.testing.assert_array_equal(found, rounded)


PLAIN = (1, (1, 1), (1, 1), (0, 0, 0, 0))


def test_arrays_that_do_not_fit_are_refused():
    x, weights = np.zeros((1, 2, 4, 9), np.uint8), np.zeros((3, 2, 3, 3), np.int8)
    y = np.zeros((1, 3, 2, 7), np.int32)
    convolved(x, None, weights, None, y, PLAIN)
    for wrong in (
        (x.astype(F), None, weights, None, y),
        (x, np.zeros((), np.int8), weights, None, y),
        (x, np.zeros(2, np.uint8), weights, None, y),
        (x, None, weights[:, :1].copy(), None, y),
        (x, None, weights, np.zeros(2, np.int8), y),
        (x, None, weights, None, y[:, :, :, :6].copy()),
        (x, None, weights, None, y[:, ::-1]),
        (x[:, :, ::-1], None, weights, None, y),
        (x[0], None, weights, None, y),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            convolved(*wrong, PLAIN)
    with pytest.raises(ValueError, match="not scaled"):
        convolved(x, None, weights, None, y, PLAIN, a_scale=np.ones((), F))
    with pytest.raises(ValueError, match="scale and a zero point"):
        convolved(x, None, weights, None, y.astype(np.uint8), PLAIN)
    with pytest.raises(ValueError, match="window"):
        convolved(x, None, weights, None, y, (1, (1, 1), (5, 5), (0, 0, 0, 0)))
