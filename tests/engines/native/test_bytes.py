"""Native steps between floats and 8-bit numbers: the bits of the operators' own functions on every instruction set."""

import numpy as np
import pytest

import recurra._native as native
from recurra.graph.operators.quantized import dynamically_quantized, quantized

F = np.float32
RANDOM = np.random.default_rng(0)
SIZES = (1, 7, 8, 31, 32, 33, 100, 5000)


def run(step):
    native.Steps([step]).run()


def numbers(dtype, *shape):
    limits = np.iinfo(dtype)
    return np.asarray(RANDOM.integers(limits.min, limits.max + 1, shape), dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("size", SIZES)
def test_rounding_and_back(size, dtype):
    x = (RANDOM.normal(size=size) * 10).astype(F)
    halves = np.resize([0.5, 1.5, 2.5, -0.5, -1.5, 1e30, -1e30, np.inf, -np.inf, 0.0, -0.0], size).astype(F)
    for isa in native.supported_isas():
        for values, scale, zero in ((x, 0.07, numbers(dtype)), (halves, 1.0, numbers(dtype)), (x, 0.07, None)):
            scale, y = np.array(scale, F), np.empty(size, dtype)
            run(native.quantization_step(values.reshape(1, 1, -1), y.reshape(1, 1, -1), scale, zero, 1, isa))
            np.testing.assert_array_equal(y, quantized(values, scale, np.zeros((), dtype) if zero is None else zero))
            back = np.empty(size, F)
            run(native.dequantization_step(y.reshape(1, 1, -1), back.reshape(1, 1, -1), scale, zero, 1, isa))
            whole = y.astype(np.int32) - (0 if zero is None else zero.astype(np.int32))
            np.testing.assert_array_equal(back, whole.astype(F) * scale)


def test_nan_becomes_the_least_number():
    for isa in native.supported_isas():
        y = np.empty((1, 1, 3), np.uint8)
        run(native.quantization_step(np.full((1, 1, 3), np.nan, F), y, np.ones((), F), np.array(9, np.uint8), 1, isa))
        assert (y == 0).all()


def test_a_scale_of_each_channel():
    x, scale, zero = (
        RANDOM.normal(size=(2, 5, 77)).astype(F),
        RANDOM.uniform(0.01, 0.1, 5).astype(F),
        numbers(np.int8, 5),
    )
    y, back = np.empty(x.shape, np.int8), np.empty_like(x)
    run(native.quantization_step(x, y, scale, zero, 2))
    np.testing.assert_array_equal(y, quantized(x, scale[:, None], zero[:, None]))
    run(native.dequantization_step(y, back, scale, zero, 2))
    np.testing.assert_array_equal(back, (y.astype(F) - zero.astype(F)[:, None]) * scale[:, None])


@pytest.mark.parametrize("size", [*SIZES, 200_000])
def test_numbers_by_their_own_range(size):
    for isa in native.supported_isas():
        for x in (RANDOM.normal(size=size), RANDOM.uniform(1, 2, size), -RANDOM.uniform(1, 2, size), np.zeros(size)):
            x = x.astype(F)
            y, scale, zero = np.empty(size, np.uint8), np.empty((), F), np.empty((), np.uint8)
            run(native.dynamic_quantization_step(x, y, scale, zero, 3, isa))
            for own, wanted in zip((y, scale, zero), dynamically_quantized(x), strict=True):
                np.testing.assert_array_equal(own, wanted)


def test_tables():
    x, table = numbers(np.int8, 5, 9000), numbers(np.uint8, 256)
    y = np.zeros((5, 9010), np.uint8)
    run(native.table_step(x, y[:, 3:9003], table, 2))
    np.testing.assert_array_equal(y[:, 3:9003], table[x.view(np.uint8)])
    assert not y[:, :3].any()
    assert not y[:, 9003:].any()


@pytest.mark.parametrize(
    "shapes", [((6, 3000), (6, 3000)), ((6, 3000), (1, 3000)), ((6, 1), (6, 3000)), ((1, 1), (1, 9))]
)
def test_operations_on_the_floats(shapes):
    add = native.operations().index("add")
    inputs = [numbers(dtype, *shape) for dtype, shape in zip((np.uint8, np.int8), shapes, strict=True)]
    scales, zeros = [np.array(s, F) for s in (0.3, 0.01, 0.2)], [np.array(7, np.uint8), None, np.array(-3, np.int8)]
    floats = [
        (x.astype(F) - (0 if zero is None else zero.astype(F))) * scale
        for x, scale, zero in zip(inputs, scales[:2], zeros[:2], strict=True)
    ]
    y = np.empty(np.broadcast_shapes(*shapes), np.int8)
    given = list(zip(inputs, scales[:2], zeros[:2], strict=True))
    for isa in native.supported_isas():
        step = native.byte_operations_step(given, y, scales[2], zeros[2], [add, 2, 0, 1, -1], [], 2, isa)
        run(step)
        np.testing.assert_array_equal(y, quantized(floats[0] + floats[1], scales[2], zeros[2]))


def test_arrays_that_do_not_fit_are_refused():
    x, y, one, zero = np.zeros((1, 1, 4), F), np.zeros((1, 1, 4), np.uint8), np.ones((), F), np.zeros((), np.uint8)
    matrix = y.reshape(1, 4)
    add = [native.operations().index("add"), 2, 0, 1, -1]
    for make in (
        lambda: native.quantization_step(x, y[..., :3].copy(), one, zero, 1),
        lambda: native.quantization_step(x.astype(float), y, one, zero, 1),
        lambda: native.quantization_step(x, y, np.ones(2, F), zero, 1),
        lambda: native.quantization_step(x, y, one, zero.astype(np.int8), 1),
        lambda: native.quantization_step(x.reshape(4), y, one, zero, 1),
        lambda: native.dequantization_step(y, x.astype(float), one, zero, 1),
        lambda: native.dequantization_step(x, x, one, zero, 1),
        lambda: native.dynamic_quantization_step(x.reshape(4), y.reshape(4)[:3], one.copy(), zero.copy(), 1),
        lambda: native.table_step(matrix, matrix.copy(), np.zeros(255, np.uint8), 1),
        lambda: native.table_step(matrix, np.zeros((1, 3), np.uint8), np.zeros(256, np.uint8), 1),
        lambda: native.byte_operations_step([(matrix, one, zero)], matrix.copy(), one, zero, add, [], 1),
        lambda: native.byte_operations_step([(matrix, one, zero)] * 2, matrix.copy(), one, zero, [], [], 1),
        lambda: native.byte_operations_step(
            [(matrix, one, zero)] * 2, np.zeros((1, 3), np.uint8), one, zero, add, [], 1
        ),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            make()
