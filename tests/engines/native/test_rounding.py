"""Products of numbers rounded to bfloat16: the same bits as written out in numpy, on every instruction set."""

import numpy as np
import pytest

import recurra
from recurra import _native
from recurra.compiler import plan, trace
from recurra.engines import Call
from recurra.engines.native.kernel import NativeKernel
from recurra.engines.protocol import Wishes
from recurra.program import Sizes
from tests.cells.representatives import CELLS

CHAIN, STRAND, BLOCK = 128, 64, 32
SIZES = (1, 2, 3, 7, 16, 31, 33, 64, 65, 127, 128, 129, 257)


@recurra.cell
def linear(x, h, *, W, U):
    """Two products and nothing else."""
    h = x @ W + h @ U
    return h


def rounded(values):
    """Numbers rounded to bfloat16, to nearest, ties to even; subnormal ones are zeros."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    near = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    exponent = bits & 0x7F800000
    near = np.where(exponent == 0, bits & 0x80000000, near)
    near = np.where(exponent == 0x7F800000, np.where(bits & 0x7FFFFF, bits & 0xFFFF0000 | 0x400000, bits), near)
    return near.astype(np.uint32).view(np.float32)


def in_pairs(x, y):
    """The sum over k of x[:, k] * y[k]; of two products, the second is added first."""
    sums = np.zeros((len(x), y.shape[1]), np.float32)
    for k in range(0, x.shape[1], 2):
        sums += x[:, k + 1 : k + 2] * y[k + 1]
        sums += x[:, k : k + 1] * y[k]
    return sums


def in_blocks(x, y):
    """The same as tiles add up: blocks of 32 k, each of which is the sum for even k plus that for odd k."""
    sums = np.zeros((len(x), y.shape[1]), np.float32)
    for begin in range(0, x.shape[1], BLOCK):
        halves = np.zeros((2, *sums.shape), np.float32)
        for k in range(begin, min(begin + BLOCK, x.shape[1])):
            halves[k % 2] += x[:, k : k + 1] * y[k]
        sums += halves[0] + halves[1]
    return sums


def added_to_odd(a, b):
    """The sum of float32 rounded to odd: where it is not exact, the one of the two nearest whose last bit is set."""
    exact = a.astype(np.longdouble) + b.astype(np.longdouble)
    near = (a + b).astype(np.float32)
    other = np.nextafter(near, np.where(exact > near, np.inf, -np.inf).astype(np.float32))
    is_kept = (exact == near) | (near.view(np.uint32) & 1 == 1)
    return np.where(is_kept, near, other).astype(np.float32)


def in_dots(x, y):
    """The same as ARM adds up: both products of a pair to each other, then to the sum, always rounded to odd."""
    sums = np.zeros((len(x), y.shape[1]), np.float32)
    for k in range(0, x.shape[1], 2):
        sums = added_to_odd(sums, added_to_odd(x[:, k : k + 1] * y[k], x[:, k + 1 : k + 2] * y[k + 1]))
    return sums


ORDERS = {"amx_bf16": in_blocks, "amx_emulated": in_blocks, "neon_bf16": in_dots}
ADDED_UP = ORDERS.get(_native.active_isa(), in_pairs)


def chained(a, b, length):
    """The sum over k of a[:, k] * b[k], in chains of this length."""
    total = None
    for begin in range(0, a.shape[1], length):
        x, y = a[:, begin : begin + length], b[begin : begin + length]
        if x.shape[1] % 2:
            x, y = np.pad(x, ((0, 0), (0, 1))), np.pad(y, ((0, 1), (0, 0)))
        part = ADDED_UP(x, y)
        total = part if total is None else total + part
    return total


def product(a, b):
    return chained(rounded(a), rounded(b), CHAIN)


def draw(random, *shape):
    return (random.standard_normal(shape) * 10.0 ** random.integers(-3, 4, shape)).astype(np.float32)


KERNEL = NativeKernel(plan(trace(linear)), products="bfloat16")
WISHES = Wishes((True,) * 4, (True,), False)


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_one_step_is_the_products_written_out(number):
    random = np.random.default_rng(number)
    width, hidden, batch = SIZES[number], SIZES[5 * number % len(SIZES)], (1, 2, 5, 6, 7, 16, 17, 33, 67)[number % 9]
    x, h, W, U = (draw(random, *shape) for shape in ((batch, width), (batch, hidden), (width, hidden), (hidden,) * 2))
    call = Call(x[None], None, [h], [W, U], Sizes(width, hidden))
    result = KERNEL.forward(call)
    ours = product(x, W)
    # The second product's chains are added to the first one's sum, one after the other.
    for begin in range(0, hidden, CHAIN):
        ours = ours + product(h[:, begin : begin + CHAIN], U[begin : begin + CHAIN])
    np.testing.assert_array_equal(result.output[0], ours)
    packed = KERNEL.pack([W, U], call.sizes, "float32")
    again = KERNEL.forward(Call(x[None], None, [h], [W, U], Sizes(width, hidden), packed=packed))
    np.testing.assert_array_equal(again.output, result.output)


@pytest.mark.parametrize("rows", [1, 2, 3, 63, 64, 65, 130])
def test_gradients_of_weights_are_sums_written_out(rows):
    random = np.random.default_rng(rows)
    width, hidden = SIZES[rows % len(SIZES)], 19
    shapes = (1, rows, width), (width, hidden), (hidden, hidden), (1, rows, hidden)
    x, W, U, g = (draw(random, *shape) for shape in shapes)
    h = np.zeros((rows, hidden), np.float32)
    call = Call(x, None, [h], [W, U], Sizes(width, hidden))
    result = KERNEL.forward(call, WISHES)
    into_x, _, into_W, into_U = KERNEL.backward(call, result, WISHES, [g], [None])
    np.testing.assert_array_equal(into_x[0], product(g[0], W.T))
    np.testing.assert_array_equal(into_W, chained(rounded(x[0].T), rounded(g[0]), STRAND))
    assert not into_U.any()


def one_step(x, W):
    """A step from zeros whose only product is x @ W."""
    zeros = np.zeros((1, W.shape[1]), np.float32), np.zeros((W.shape[1],) * 2, np.float32)
    return KERNEL.forward(Call(x[None, None], None, [zeros[0]], [W, zeros[1]], Sizes(*W.shape))).output[0, 0]


def test_special_numbers():
    x = np.array([1, 1e-40, -1e-40, 1 + 2**-8, 1 + 3 * 2**-8], np.float32)
    np.testing.assert_array_equal(one_step(x, np.eye(5, dtype=np.float32)), [1, 0, 0, 1, 1 + 2**-6])
    for value in (np.inf, np.nan, 3.4e38):  # the last is rounded up beyond bfloat16's largest
        got = one_step(np.array([value], np.float32), np.ones((1, 1), np.float32)).item()
        assert np.isnan(got) if np.isnan(value) else got == np.inf


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole_lstm"])
def test_results_do_not_depend_on_batch_or_chunks(name):
    """Sequences alone, steps one by one and all at once give the same bits."""
    kernel = NativeKernel(plan(trace(CELLS[name])), products="bfloat16")
    random = np.random.default_rng(0)
    sizes = Sizes(5, 37)
    shapes = [tuple(size.value(sizes) for size in p.shape) for p in kernel.plan.program.parameters]
    parameters = [random.standard_normal(shape).astype(np.float32) / 6 for shape in shapes]
    x = random.standard_normal((9, 7, 5)).astype(np.float32)
    states = [np.zeros((7, s.width(sizes)), np.float32) for s in kernel.plan.program.states]
    whole = kernel.forward(Call(x, None, states, parameters, sizes))
    for b in range(7):
        alone = kernel.forward(Call(x[:, b : b + 1], None, [s[:1] for s in states], parameters, sizes))
        np.testing.assert_array_equal(alone.output[:, 0], whole.output[:, b])
    for step in range(9):
        result = kernel.forward(Call(x[step : step + 1], None, states, parameters, sizes))
        states = list(result.states)
        np.testing.assert_array_equal(result.output[0], whole.output[step])


@pytest.mark.parametrize("name", CELLS)
def test_every_structure_of_cells_differs_from_float32_by_rounding_alone(name):
    """Both passes; relative to the norm of what float32 gives. Kinks and small results make it up to 15 roundings."""
    scheduled = plan(trace(CELLS[name]))
    program, sizes, random = scheduled.program, Sizes(24, 24), np.random.default_rng(0)
    shapes = [tuple(size.value(sizes) for size in p.shape) for p in program.parameters]
    parameters = [(random.standard_normal(shape) / 5).astype(np.float32) for shape in shapes]
    x = random.standard_normal((6, 17, program.input.width(sizes))).astype(np.float32)
    states = [(random.standard_normal((17, s.width(sizes))) / 5).astype(np.float32) for s in program.states]
    masks = [np.full((6, 17, m.results[0].width(sizes)), m.attributes["mean"], np.float32) for m in program.masks]
    call = Call(x, None, states, parameters, sizes, masks)
    wishes = Wishes((True,) * (1 + len(states) + len(parameters)), (True,), True)
    found = []
    for products in ("float32", "bfloat16"):
        kernel = NativeKernel(scheduled, products)
        result = kernel.forward(call, wishes)
        into = kernel.backward(call, result, wishes, [np.ones_like(result.output)], [None] * len(states))
        found.append([result.output, *result.states, *(value for value in into if value is not None)])
    errors = [np.linalg.norm(b - a) / (np.linalg.norm(a) + 1e-9) for a, b in zip(*found, strict=True)]
    assert 2**-13 < max(errors) < 15 * 2**-8
