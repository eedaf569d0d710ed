"""Native steps beside loops over windows, numpy's functions, and kernels' own calls."""

import itertools

import numpy as np
import pytest

from recurra.engines import step_maker
from recurra.engines.steps import Operations, WindowSpec

# (images, channels, height, width), filters, windows: few and many positions, every way of a convolution
CONVOLUTIONS = {
    "one row, many positions": ((1, 5, 1, 300), 7, WindowSpec((1, 3), before=(0, 1), after=(0, 1))),
    "one row, few positions": ((2, 129, 1, 5), 20, WindowSpec((1, 3), strides=(1, 2), before=(0, 1), after=(0, 1))),
    "one position": ((1, 40, 1, 3), 64, WindowSpec((1, 3))),
    "a plane": ((2, 3, 11, 13), 9, WindowSpec((3, 3), before=(1, 1), after=(1, 1))),
    "strides, dilations, one-sided pads": (
        (1, 6, 17, 40),
        8,
        WindowSpec((2, 3), (2, 3), (3, 2), before=(0, 2), after=(1, 0)),
    ),
    "groups": ((2, 8, 6, 33), 16, WindowSpec((3, 2), strides=(1, 2), groups=2)),
    "each channel alone": ((1, 20, 9, 70), 20, WindowSpec((3, 3), strides=(2, 2), before=(1, 1), groups=20)),
    "each channel alone, two filters": ((1, 4, 1, 50), 8, WindowSpec((1, 5), dilations=(1, 3), groups=4)),
    "longer than a chain": ((1, 70, 5, 30), 6, WindowSpec((3, 3))),
    "an image in an image": ((1, 1, 1, 600), 30, WindowSpec((1, 256), strides=(1, 128))),
}
TOLERANCES = {"float32": 2e-5, "float64": 1e-13}


def positions(size, windows, axis):
    """The first elements of all windows along an axis of the padded image."""
    whole = size + windows.before[axis] + windows.after[axis]
    return range(0, whole - (windows.kernel[axis] - 1) * windows.dilations[axis], windows.strides[axis])


def windows_of(x, windows, filler):
    """The elements of each window, (images, channels, height, width, *kernel), one window at a time."""
    widths = [(0, 0), (0, 0), *zip(windows.before, windows.after, strict=True)]
    padded = np.pad(x, widths, constant_values=filler)
    rows, columns = (positions(x.shape[2 + axis], windows, axis) for axis in (0, 1))
    found = np.empty((*x.shape[:2], len(rows), len(columns), *windows.kernel), x.dtype)
    for (i, top), (j, left) in itertools.product(enumerate(rows), enumerate(columns)):
        steps = windows.dilations
        found[:, :, i, j] = padded[:, :, top :: steps[0], left :: steps[1]][
            ..., : windows.kernel[0], : windows.kernel[1]
        ]
    return found


def correlated(x, weights, bias, windows):
    """The convolution as a sum for each group."""
    seen = windows_of(x.astype(np.float64), windows, 0)
    parts = zip(np.split(seen, windows.groups, 1), np.split(weights.astype(np.float64), windows.groups), strict=True)
    sums = [np.einsum("ncijkl,fckl->nfij", part, own) for part, own in parts]
    return np.concatenate(sums, 1) + bias.reshape(-1, 1, 1)


def example(shape, filters, windows, dtype):
    random = np.random.default_rng(0)
    x = random.normal(size=shape).astype(dtype)
    weights = random.normal(size=(filters, shape[1] // windows.groups, *windows.kernel)).astype(dtype)
    weights /= np.sqrt(weights[0].size)
    return x, weights, random.normal(size=filters).astype(dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_sums_each_window(name, dtype):
    shape, filters, windows = CONVOLUTIONS[name]
    x, weights, bias = example(shape, filters, windows, dtype)
    wanted = correlated(x, weights, bias, windows)
    y = np.full(wanted.shape, np.nan, dtype)
    run = step_maker().convolution(x, weights, bias, y, windows, None)
    run()
    np.testing.assert_allclose(y, wanted, rtol=0, atol=TOLERANCES[dtype] * 4)
    x *= 2  # a step reads what its arrays hold then
    run()
    np.testing.assert_allclose(y - bias.reshape(-1, 1, 1), 2 * (wanted - bias.reshape(-1, 1, 1)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_operations_follow_a_convolution(name):
    shape, filters, windows = CONVOLUTIONS[name]
    x, weights, bias = example(shape, filters, windows, "float32")
    plain = np.empty(correlated(x, weights, bias, windows).shape, np.float32)
    step_maker().convolution(x, weights, bias, plain, windows, None)()
    y = np.empty_like(plain)
    step_maker().convolution(x, weights, bias, y, windows, Operations([("maximum", 1, (0, 2))], [0.25]))()
    np.testing.assert_array_equal(y, np.maximum(plain, np.float32(0.25)))


def test_a_convolution_has_the_same_bits_whatever_the_length():
    windows = WindowSpec((1, 5), strides=(1, 2))
    x, weights, bias = example((1, 40, 1, 401), 64, windows, "float32")
    whole = np.empty((1, 64, 1, 199), np.float32)
    step_maker().convolution(x, weights, bias, whole, windows, None)()
    for begin, count in ((0, 1), (3, 2), (100, 40), (150, 49)):
        part = np.empty((1, 64, 1, count), np.float32)
        own = np.ascontiguousarray(x[..., 2 * begin : 2 * begin + 2 * count + 3])
        step_maker().convolution(own, weights, bias, part, windows, None)()
        np.testing.assert_array_equal(part, whole[..., begin : begin + count])


POOLS = {
    "halves": ((2, 3, 8, 50), WindowSpec((2, 2), (2, 2))),
    "overlaps with pads": ((1, 2, 7, 35), WindowSpec((3, 3), (2, 2), before=(1, 1), after=(1, 1))),
    "keeps columns": ((1, 4, 6, 25), WindowSpec((2, 2), (2, 1), after=(0, 1))),
    "dilated": ((1, 1, 9, 40), WindowSpec((2, 3), (1, 3), (2, 4))),
    "one row": ((1, 5, 1, 33), WindowSpec((1, 4), (1, 4))),
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", POOLS)
def test_pooling_reduces_each_window(name, dtype):
    shape, windows = POOLS[name]
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    x[0, 0, -1, 7] = np.nan
    seen = windows_of(x, windows, -np.inf)
    y = np.empty(seen.shape[:4], dtype)
    step_maker().largest(x, y, windows)()
    np.testing.assert_array_equal(y, seen.max((-2, -1)))
    counts = np.random.default_rng(1).integers(1, 9, y.shape[2:]).astype(dtype)
    step_maker().mean(x, counts, y, windows)()
    sums = windows_of(x, windows, 0).sum((-2, -1)) / counts
    np.testing.assert_allclose(y, sums, rtol=0, atol=TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5000), (3, 17), (40, 33), (2, 3000)])
def test_elementwise_operations_broadcast(rows, columns, dtype):
    random = np.random.default_rng(0)
    whole, column, row = (random.normal(size=s).astype(dtype) for s in ((rows, columns), (rows, 1), (1, columns)))
    y, z = np.empty((rows, columns), dtype), np.empty((rows, columns), dtype)
    each = [("multiply", 6, (0, 1)), ("add", 3, (6, 2)), ("maximum", 7, (3, 5)), ("negative", 4, (7,))]
    step_maker().elementwise([whole, column, row, y, z], Operations(each, [0.5]))()
    np.testing.assert_allclose(y, whole * column + row, rtol=0, atol=TOLERANCES[dtype])
    np.testing.assert_array_equal(z, -np.maximum(y, np.asarray(0.5, dtype)))


def test_elementwise_operations_on_parts_of_rows():
    x = np.arange(60, dtype=np.float32).reshape(3, 20)
    y = np.full((3, 20), -1, np.float32)
    step_maker().elementwise([x[:, 2:7], y[:, 10:15]], Operations([("abs", 1, (0,))]))()
    wanted = np.full((3, 20), -1, np.float32)
    wanted[:, 10:15] = x[:, 2:7]
    np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "float16"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0), (2, 0, 1, 3), (1, 3, 0, 2)])
def test_copies_take_any_strides(order, dtype):
    x = (np.random.default_rng(0).normal(size=(3, 18, 5, 40)) * 9).astype(dtype)
    for source in (x.transpose(order), x.transpose(order)[::-1, 1:-1], np.broadcast_to(x[:1, :1], x.shape)):
        target = np.zeros_like(source, order="C")
        step_maker().copy(source, target)()
        np.testing.assert_array_equal(target, source)
        outer = np.zeros((*source.shape[:-1], source.shape[-1] + 3), dtype)
        step_maker().copy(source, outer[..., 1:-2])()
        np.testing.assert_array_equal(outer[..., 1:-2], source)
        assert not outer[..., 0].any()
        assert not outer[..., -2:].any()


def test_steps_refuse_arrays_that_do_not_fit():
    maker, x = step_maker(), np.zeros((1, 2, 3, 4), np.float32)
    weights, y = np.zeros((3, 2, 1, 2), np.float32), np.zeros((1, 3, 3, 3), np.float32)
    frozen = np.zeros((3, 4), np.float32)
    frozen.flags.writeable = False
    for wrong, what in (
        (lambda: maker.convolution(x, weights, None, y[..., :2], WindowSpec((1, 2)), None), "size|contiguous"),
        (lambda: maker.convolution(x.astype(np.float64), weights, None, y, WindowSpec((1, 2)), None), "dtype"),
        (lambda: maker.convolution(x, weights[:, :1], None, y, WindowSpec((1, 2)), None), "size"),
        (lambda: maker.convolution(x.swapaxes(2, 3), weights, None, y, WindowSpec((1, 2)), None), "contiguous"),
        (lambda: maker.convolution(x, weights, None, y, WindowSpec((1, 2), strides=(0, 1)), None), "no window"),
        (lambda: maker.largest(x, y, WindowSpec((1, 2))), "channels"),
        (lambda: maker.largest(x, x.copy(), WindowSpec((5, 1))), "no window"),
        (lambda: maker.elementwise([x[0, 0], x[0, 0, :, :1]], Operations([("abs", 1, (0,))])), "whole"),
        (lambda: maker.elementwise([x[0, 0], x[0, 0].copy()], Operations([("abs", 1, (7,))])), "no elementwise"),
        (lambda: maker.elementwise([x[0, 0], x[0, 0, :2]], Operations([("abs", 0, (1,))])), "broadcast"),
        (lambda: maker.elementwise([x[0, 0], frozen], Operations([("abs", 1, (0,))])), "read-only"),
        (lambda: maker.copy(x, y), "shapes"),
    ):
        with pytest.raises(ValueError, match=what):
            wrong()
