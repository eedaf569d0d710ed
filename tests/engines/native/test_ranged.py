"""Products of rows rounded to 8 bits by their range, as ONNX's DynamicQuantizeLinear: the numbers written out."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.engines import choose
from recurra.errors import EngineError
from recurra.program import Sizes
from tests.engines.native import whole_products
from tests.engines.native.whole_products import CHAIN, KERNELS, PLAN, SIZES

KERNEL = KERNELS["uint8"]
step = partial(whole_products.step, "uint8")


def rounded(a):
    """The whole numbers of rows less their zero points, and the scales."""
    low, high = np.minimum(a.min(1, initial=0), 0), np.maximum(a.max(1, initial=0), 0)
    spread = high - low
    scale = np.where(spread == 0, np.float32(1), spread / np.float32(255))
    zero = np.rint(-low / scale)[:, None]
    return np.rint(np.clip(a / scale[:, None], -zero, 255 - zero)).astype(np.int64), scale


def product(init, a, numbers, factors):
    """init + a @ (numbers * factors) for rounded rows."""
    whole, scale = rounded(a)
    total = init.astype(np.float32)
    for begin in range(0, max(1, a.shape[1]), CHAIN):
        sums = whole[:, begin : begin + CHAIN] @ numbers[begin : begin + CHAIN]
        total = total + sums.astype(np.float32) * (scale[:, None] * factors)
    return total


def columns(random, k, count, most):
    """Columns of whole numbers up to `most`, and their scales."""
    numbers = random.integers(-most, most + 1, (k, count))
    numbers[random.integers(k)] = most
    return numbers, random.uniform(1e-4, 3, count).astype(np.float32)


@settings(deadline=None)
@given(
    st.sampled_from(SIZES), st.sampled_from(SIZES), st.integers(1, 60), st.sampled_from([1, 5, 63, 64, 65, 100, 127]),
    st.integers(0, 99),
)  # fmt: skip
def test_one_step_is_the_products_written_out(width, hidden, batch, most, seed):
    random = np.random.default_rng(seed)
    x, h = (random.normal(random.normal(), 1, (batch, n)).astype(np.float32) for n in (width, hidden))
    (w, w_scale), (u, u_scale) = columns(random, width, hidden, most), columns(random, hidden, hidden, 127)
    W, U = (w * w_scale).astype(np.float32), (u * u_scale).astype(np.float32)
    ours = product(product(np.zeros((batch, hidden)), x, w, w_scale), h, u, u_scale)
    got = step(x, h, W, U)
    np.testing.assert_allclose(got, ours, rtol=0, atol=1e-6 * np.abs(ours).max())
    packed = KERNEL.pack([W, U], Sizes(width, hidden), "float32")
    np.testing.assert_array_equal(step(x, h, W, U, packed=packed), got)
    for row in range(0, batch, 7):
        np.testing.assert_array_equal(step(x[row : row + 1], h[row : row + 1], W, U, packed=packed)[0], got[row])


@pytest.mark.parametrize("largest", range(1, 128))
def test_whole_numbers_are_found_whatever_the_largest(largest):
    random = np.random.default_rng(largest)
    w = random.integers(-largest, largest + 1, (40, 9))
    w[3] = np.where(random.random(9) < 0.5, -largest, largest)
    scale = random.uniform(1e-4, 3, 9).astype(np.float32)
    x = random.standard_normal((5, 40)).astype(np.float32)
    ours = product(np.zeros((5, 9)), x, w, scale)
    got = step(x, np.zeros((5, 9), np.float32), (w * scale).astype(np.float32), np.zeros((9, 9), np.float32))
    np.testing.assert_allclose(got, ours, rtol=1e-6, atol=1e-6 * np.abs(ours).max())


@pytest.mark.parametrize("width", [CHAIN - 1, CHAIN + 1, 2 * CHAIN + 3])
@pytest.mark.parametrize("most", [64, 127])
def test_long_sums_are_cut_into_chains(width, most):
    x, w = np.ones((3, width), np.float32), np.full((width, 2), -most)
    x[1] = -np.linspace(0, 1, width)
    x[2, 1:] = 0  # from 0 to 1, so that zeros are the least number of 8 bits
    w[:, 1] = most
    ours = product(np.zeros((3, 2)), x, w, np.ones(2, np.float32))
    got = step(x, np.zeros((3, 2), np.float32), w.astype(np.float32), np.zeros((2, 2), np.float32))
    np.testing.assert_allclose(got, ours, rtol=1e-6)


def test_special_numbers():
    """A row of zeros gives the initial value; one with NaN gives NaN everywhere, also beside others."""
    W, h, U = np.eye(4, dtype=np.float32), np.zeros((1, 4), np.float32), np.zeros((4, 4), np.float32)
    np.testing.assert_array_equal(step(h, h, W, U), h)
    for width in (4, 70):
        rows, W = np.ones((5, width), np.float32), np.ones((width, 4), np.float32)
        rows[2, width - 1] = np.nan
        got = step(rows, np.zeros((5, 4), np.float32), W, U)
        np.testing.assert_array_equal(np.isnan(got).all(1), np.arange(5) == 2)
        np.testing.assert_allclose(got[[0, 1, 3, 4]], width, rtol=1e-6)
    for value, expected in ((3e38, 3e38), (1e-30, 1e-30), (1e-38, 0), (1e-44, 0), (np.inf, np.nan), (-np.inf, np.nan)):
        got = step(np.full((1, 4), value, np.float32), h, np.eye(4, dtype=np.float32), U)
        np.testing.assert_allclose(got, np.full((1, 4), expected, np.float32), rtol=1e-6)


def test_it_has_no_gradients_and_float64_is_not_rounded():
    assert choose(PLAN, "float32", compute="uint8").name == "native_uint8"
    assert choose(PLAN, "float64", compute="uint8").name == "native"
    with pytest.raises(EngineError, match="computes in uint8, which has no gradients"):
        KERNEL.backward_of(None)
