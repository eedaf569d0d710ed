"""Products of operands rounded to 8 bits: the same bits as written out in numpy, on every instruction set."""

import operator
import subprocess
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra._native as native
from recurra.compiler import plan, trace
from recurra.engines import Call, reference
from recurra.engines.native.kernel import NativeKernel
from recurra.engines.reference import equations, numpy_table
from recurra.program import Sizes
from tests.cells.representatives import CELLS
from tests.engines.native import whole_products
from tests.engines.native.compiling import BUILT, build, compile_sources, compile_target
from tests.engines.native.whole_products import CHAIN, KERNELS, SIZES

step = partial(whole_products.step, "int8")


def scales(largest):
    """The scale of numbers with these largest magnitudes, and its inverse; a row that is too small counts as zeros."""
    largest = np.asarray(largest, np.float32)
    with np.errstate(all="ignore"):
        small = largest < np.float32(2.0**-100)
        scale = np.where(small, np.float32(0), largest / np.float32(127))
        return scale, np.where(small, np.float32(0), np.float32(127) / largest)


def product(init, a, b):
    """init + a @ b: rows of a and columns of b are rounded to whole numbers, each with a scale of its own."""
    row, into_row = scales(np.abs(a).max(1, initial=0))
    column, into_column = scales(np.abs(b).max(0, initial=0))
    left = np.rint(a * into_row[:, None]).astype(np.int64)
    right = np.rint(b * into_column).astype(np.int64)
    total = init.astype(np.float32)
    for begin in range(0, max(1, a.shape[1]), CHAIN):
        sums = left[:, begin : begin + CHAIN] @ right[begin : begin + CHAIN]
        total = total + sums.astype(np.float32) * (row[:, None] * column)
    return total


def draw(random, *shape):
    return (random.standard_normal(shape) * 10.0 ** random.integers(-3, 4, shape)).astype(np.float32)


@settings(deadline=None)
@given(st.sampled_from(SIZES), st.sampled_from(SIZES), st.integers(1, 60), st.integers(0, 99))
def test_one_step_is_the_products_written_out(width, hidden, batch, seed):
    random = np.random.default_rng(seed)
    x, h, W, U = (draw(random, *shape) for shape in ((batch, width), (batch, hidden), (width, hidden), (hidden,) * 2))
    ours = product(product(np.zeros((batch, hidden)), x, W), h, U)
    np.testing.assert_array_equal(step(x, h, W, U), ours)
    packed = KERNELS["int8"].pack([W, U], Sizes(width, hidden), "float32")
    np.testing.assert_array_equal(step(x, h, W, U, packed), ours)


@pytest.mark.parametrize("width", [CHAIN - 1, CHAIN, CHAIN + 1, 2 * CHAIN + 3])
def test_long_sums_are_cut_into_chains(width):
    random = np.random.default_rng(width)
    x, W = draw(random, 3, width), draw(random, width, 2)
    x[0], W[:, 0] = 1, 1  # the largest sum that there is
    ours = product(np.zeros((3, 2)), x, W)
    np.testing.assert_array_equal(step(x, np.zeros((3, 2), np.float32), W, np.zeros((2, 2), np.float32)), ours)


def test_special_numbers():
    """A row of zeros, or of tiny numbers, gives the initial value; one with infinities or NaN gives NaN."""
    W, h, U = np.eye(4, dtype=np.float32), np.zeros((1, 4), np.float32), np.zeros((4, 4), np.float32)
    for value, expected in ((0, 0), (1e-38, 0), (1e-40, 0), (3e38, 3e38), (np.inf, np.nan), (np.nan, np.nan)):
        row = np.array([[value, 0, 0, 0]], np.float32)
        got = step(row, h, W, U)[0]
        np.testing.assert_allclose(got[0], np.float32(expected), rtol=1e-6)
    broken = W.copy()
    broken[2, 1] = np.inf
    got = step(np.ones((1, 4), np.float32), h, broken, U)[0]
    np.testing.assert_array_equal(np.isnan(got), [False, True, False, False])


def test_weights_of_int8_keep_their_whole_numbers():
    """A column of whole numbers times a scale, of which one is 127, is rounded to these whole numbers again."""
    random = np.random.default_rng(0)
    whole = random.integers(-127, 128, (300, 5)).astype(np.float32)
    whole[7] = 127
    W = whole * random.uniform(1e-4, 1, 5).astype(np.float32)
    x = np.zeros((300, 300), np.float32)
    np.fill_diagonal(x, 127)
    got = step(x, np.zeros((300, 5), np.float32), W, np.zeros((5, 5), np.float32))
    np.testing.assert_array_equal(np.rint(got / (W[7] / 127) / 127), whole)


def shapes_of(kernel, sizes):
    return [tuple(size.value(sizes) for size in p.shape) for p in kernel.plan.program.parameters]


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole_lstm", "layer_norm_lstm"])
def test_results_do_not_depend_on_batch_chunks_or_packing(name):
    kernel, sizes, random = NativeKernel(plan(trace(CELLS[name])), "int8"), Sizes(5, 37), np.random.default_rng(0)
    parameters = [np.array(random.standard_normal(shape) / 6, np.float32) for shape in shapes_of(kernel, sizes)]
    x = random.standard_normal((9, 7, 5)).astype(np.float32)
    states = [np.zeros((7, s.width(sizes)), np.float32) for s in kernel.plan.program.states]
    packed = kernel.pack(parameters, sizes, "float32")
    whole = kernel.forward(Call(x, None, states, parameters, sizes))
    again = kernel.forward(Call(x, None, states, parameters, sizes, packed=packed))
    np.testing.assert_array_equal(again.output, whole.output)
    for b in range(7):
        alone = kernel.forward(Call(x[:, b : b + 1], None, [s[:1] for s in states], parameters, sizes, packed=packed))
        np.testing.assert_array_equal(alone.output[:, 0], whole.output[:, b])
    for t in range(9):
        result = kernel.forward(Call(x[t : t + 1], None, states, parameters, sizes, packed=packed))
        states = list(result.states)
        np.testing.assert_array_equal(result.output[0], whole.output[t])


def byte_product(a, b, isa, **given):
    """The product of bytes by a native step."""
    y = np.empty((len(a), b.shape[1]), given.pop("dtype", np.int32))
    names = ("a_scale", "b_scale", "bias", "added", "y_scale", "y_zero")
    arrays = native.ResultArrays(*(given.get(name) for name in names), False)
    matrix = native.integer_matrix(b, given.get("b_zero"), isa)
    native.Steps([native.integer_product_step(matrix, a, given.get("zero"), y, arrays, 1)]).run()
    return y


@settings(deadline=None)
@given(st.integers(0, 70), st.integers(1, 40), st.integers(1, 55), st.integers(0, 99))
def test_products_of_bytes_are_exact(count, columns, rows, seed):
    random = np.random.default_rng(seed)
    a = random.integers(0, 256, (rows, count)).astype(np.uint8)
    b = random.integers(-128, 128, (count, columns)).astype(np.int8)
    expected = a.astype(np.int64) @ b.astype(np.int64)
    for isa in native.supported_isas():
        for matrix in (b, np.asfortranarray(b)):
            np.testing.assert_array_equal(byte_product(a, matrix, isa), expected)


def test_long_products_of_bytes_are_exact():
    a, b = np.full((2, 2 * CHAIN + 5), 255, np.uint8), np.full((2 * CHAIN + 5, 3), -128, np.int8)
    for isa in native.supported_isas():
        assert (byte_product(a, b, isa) == -255 * 128 * (2 * CHAIN + 5)).all()


@pytest.mark.slow
def test_the_step_of_vnni_emulated(tmp_path):
    """Four products to a sum, as AVX512_VNNI adds them, written in plain C++: the layout of rows and columns is its."""
    target = BUILT[-1]
    emulated = (f"-Dkernels_{target}=kernels_emulated", "-DRECURRA_EMULATES_VNNI")
    objects = [
        *compile_sources(["tests/vnni_test"], f"-Dkernels_plain=kernels_{target}"),
        compile_target(target, "-O0"),
        compile_target(target, "-O0", *emulated),
    ]
    done = build(*objects, "-o", tmp_path / "main")
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout == "0 different"


class _Rounding:
    """Stands in the place of ``operator`` in the reference engine: its products round as the contract says."""

    def __getattr__(self, name):
        return getattr(operator, name)

    @staticmethod
    def matmul(a, b):
        if b.ndim == 2 and a.ndim > 1:
            rows = a.reshape(-1, a.shape[-1])
            return product(np.zeros((len(rows), b.shape[1])), rows, b).reshape(*a.shape[:-1], b.shape[1])
        return operator.matmul(a, b)


def _of_heads(x, matrices):
    """The products of heads, each with its own scales."""
    each = [_Rounding.matmul(x[..., n, :], matrices[n]) for n in range(len(matrices))]
    return np.concatenate(each, -1)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_the_reference_engine_with_rounded_products(name, monkeypatch):
    """Another last bit of an elementwise operation may round one operand to the next whole number, but few.

    That changes a sum by the operand's quantum, 1/127 of the largest in its row, times a weight, which is below 1.
    """
    monkeypatch.setattr(equations, "operator", _Rounding())
    monkeypatch.setattr(numpy_table, "heads_product", _of_heads)
    scheduled, sizes, random = plan(trace(CELLS[name])), Sizes(12, 12, 12), np.random.default_rng(3)
    kernel = NativeKernel(scheduled, "int8")
    parameters = [np.array(random.standard_normal(shape) / 4, np.float32) for shape in shapes_of(kernel, sizes)]
    x = random.standard_normal((3, 4, scheduled.program.input.width(sizes))).astype(np.float32)
    states = [np.zeros((4, s.width(sizes)), np.float32) for s in scheduled.program.states]
    masks = [np.full((3, 4, m.results[0].width(sizes)), 0.5, np.float32) for m in scheduled.program.masks]
    call = Call(x, None, states, parameters, sizes, masks=masks)
    ours, theirs = kernel.forward(call).output, reference().build(scheduled).forward(call).output
    far = ~np.isclose(ours, theirs, rtol=1e-4, atol=1e-5, equal_nan=True)
    assert far.mean() < 0.05
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.01)
