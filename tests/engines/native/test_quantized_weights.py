"""Weights that bfloat16 or int8 holds exactly are packed in fewer bytes, and change no bit of a result."""

import numpy as np
import pytest

from recurra import _native
from recurra.compiler import plan, trace
from recurra.engines import Call
from recurra.engines.native import NativeEngine
from recurra.engines.native.arrays import matrix_words
from recurra.equations import feed_forward
from recurra.model import Weight
from recurra.model.quantize import quantized
from recurra.program import Sizes
from tests.cells.representatives import CELLS

NAMES = ("bf16", "int8")
QUANTIZED_FROM = {  # bytes of a matrix
    "amx_bf16": (2**16, 2**20),
    "avx512_bf16": (2**16, 2**20),
    "avx512_vnni": (2**16, 2**20),
    "avx512": (2**16, 2**20),
    "avx_vnni": (2**16, 2**22),
    "avx2": (2**16, 2**22),
    "neon_bf16": (2**22, 2**24),
    "neon_dot": (2**22, 2**24),
    "neon": (2**22, 2**24),
    "portable": (2**22, 2**24),
}


@feed_forward
def by_columns(x, *, W):
    """A program whose product has a column for each row of W, as in torch's layers."""
    return x @ W.T


@feed_forward
def by_rows(x, *, W):
    """A program whose product has a column for each column of W, as equations are written."""
    return x @ W


PRODUCTS = {"x @ W.T": trace(by_columns), "x @ W": trace(by_rows)}


class Kernel:
    """Native code of a program at given sizes, with weights."""

    def __init__(self, program, parameters, width, hidden):
        self.kernel = NativeEngine().build(plan(program))
        self.program, self.parameters = self.kernel.plan.program, parameters
        self.sizes = Sizes(width, hidden)

    def prepared(self, compact):
        words = [word for parameter in self.parameters for word in matrix_words(parameter)]
        return self.kernel.code(self.sizes, self.parameters[0].itemsize == 8).prepare(words, compact)

    def run(self, x, states, packed):
        result = self.kernel.forward(Call(x, None, states, self.parameters, self.sizes, packed=packed))
        return [result.output, *result.states]

    def check(self, x, states=()):
        """All forms of the weights give the same bits."""
        expected = self.run(x, states, None)
        for compact in (False, True):
            for mine, other in zip(self.run(x, states, self.prepared(compact)), expected, strict=True):
                same(mine, other)


def same(mine, other):
    """Whether arrays have the same bits, apart from those of NaN."""
    assert mine.shape == other.shape
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(other))
    where = ~np.isnan(mine)
    np.testing.assert_array_equal(mine[where].view(np.uint32), other[where].view(np.uint32))


def rounded(values, to):
    return quantized(Weight.of(np.asarray(values, np.float32)), to).values()


def product(which, values):
    """A product with this matrix in the caller's layout."""
    k, n = values.shape[::-1] if which == "x @ W.T" else values.shape
    return Kernel(PRODUCTS[which], [values], k, n)


def is_quantized(which, values):
    """Whether a matrix is held in fewer bytes than another one of its size; it must be large enough to tell."""
    other = np.full_like(values, np.pi)
    other[0, 0] = np.e
    return product(which, values).prepared(True).nbytes < product(which, other).prepared(True).nbytes


SIZES = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65, 127, 128, 129, 130, 131, 255, 257, 259)


@pytest.mark.parametrize("which", PRODUCTS)
@pytest.mark.parametrize("to", NAMES)
def test_products_of_every_shape(which, to):
    draw = np.random.default_rng(0)
    for number, k in enumerate(SIZES):
        for n in (SIZES[(7 * number + 3) % len(SIZES)], SIZES[(5 * number) % len(SIZES)], 200):
            shape = (n, k) if which == "x @ W.T" else (k, n)
            kernel = product(
                which, rounded(draw.standard_normal(shape) * 10.0 ** draw.integers(-6, 6, (shape[0], 1)), to)
            )
            for rows in (1, 2, 3, 4, 5, 6, 7, 9, 13, 32):
                kernel.check(draw.standard_normal((1, rows, k)).astype(np.float32))


@pytest.mark.parametrize("which", PRODUCTS)
@pytest.mark.parametrize("to", NAMES)
def test_matrices_of_any_layout(which, to):
    draw = np.random.default_rng(1)
    values = rounded(draw.standard_normal((37, 37)), to)
    x = draw.standard_normal((2, 3, 37)).astype(np.float32)
    for large in (np.full((80, 80), np.nan, np.float32), np.full((80, 80), np.nan, np.float32, order="F")):
        for view in (large[3:40, 5:42], large[::2, ::2][:37, :37], large[36::-1, 36::-1]):
            view[...] = values
            product(which, view).check(x)


@pytest.mark.parametrize("which", PRODUCTS)
@pytest.mark.parametrize("to", NAMES)
def test_without_columns_to_sum(which, to):
    values = np.zeros((20, 0) if which == "x @ W.T" else (0, 20), np.float32)
    for steps in (1, 3):
        product(which, values).check(np.zeros((steps, 2, 0), np.float32))


@pytest.mark.parametrize("to", NAMES)
@pytest.mark.parametrize(
    "name", ["lstm", "gru", "peephole_lstm", "gru_reset_before", "layer_norm_lstm", "block_slstm", "antisymmetric_rnn"]
)
def test_cells(name, to):
    """Gates from one and several matrices, computed matrices, rows and columns; whole sequences and single steps."""
    draw = np.random.default_rng(2)
    program = trace(CELLS[name])
    for width, hidden, steps, batch in ((5, 18, 5, 1), (1, 34, 3, 7), (40, 70, 2, 33)):
        symbols = Sizes(width, hidden)
        shapes = [[size.value(symbols) for size in parameter.shape] for parameter in program.parameters]
        weights = [np.asarray(draw.standard_normal(shape) * 0.3, np.float32) for shape in shapes]
        kernel = Kernel(program, [rounded(w, to) if w.ndim > 1 else w for w in weights], width, hidden)
        x = draw.standard_normal((steps, batch, width)).astype(np.float32)
        states = [np.zeros((batch, state.shape[0].value(symbols)), np.float32) for state in program.states]
        kernel.check(x, states)
        packed = kernel.prepared(True)
        whole, *last = kernel.run(x, states, packed)
        for step in range(steps):
            output, *states = kernel.run(x[step : step + 1], states, packed)
            same(output[0], whole[step])
        for mine, other in zip(states, last, strict=True):
            same(mine, other)


@pytest.mark.parametrize("which", PRODUCTS)
def test_memory(which):
    """bfloat16 takes a half, int8 a quarter; int8 also a scale for each row, or for each k of each vector."""
    values = np.random.default_rng(3).standard_normal((512, 512)).astype(np.float32)
    wide = product(which, values).prepared(True).nbytes
    assert values.nbytes <= wide <= 1.02 * values.nbytes
    assert product(which, rounded(values, "bf16")).prepared(True).nbytes <= 0.52 * wide
    scales = 1 / 512 if which == "x @ W.T" else 1 / _native.lanes()
    assert product(which, rounded(values, "int8")).prepared(True).nbytes <= (0.27 + scales) * wide


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole_lstm", "gru_reset_before", "block_slstm"])
def test_memory_of_cells(name):
    program = trace(CELLS[name])
    draw = np.random.default_rng(13)
    symbols = Sizes(128, 128)
    weights = [draw.standard_normal([size.value(symbols) for size in p.shape]) for p in program.parameters]
    bytes_of = {}
    for to in (None, *NAMES):
        held = [rounded(weight, to) if to and weight.ndim > 1 else np.asarray(weight, np.float32) for weight in weights]
        bytes_of[to] = Kernel(program, held, 128, 128).prepared(True).nbytes
    assert bytes_of["bf16"] <= 0.53 * bytes_of[None]
    assert bytes_of["int8"] <= (0.29 + 1 / _native.lanes()) * bytes_of[None]


@pytest.mark.parametrize("which", PRODUCTS)
def test_large_matrices_are_quantized_by_themselves(which):
    """Matrices are quantized from the sizes on that docs/performance.md gives."""
    draw = np.random.default_rng(4)
    for to, limit in zip(NAMES, QUANTIZED_FROM[_native.active_isa()], strict=True):
        width = 64 if limit < 2**20 else 512
        for rows, is_large in ((limit // width // 4, True), (limit // width // 4 - 64, False)):
            kernel = product(which, rounded(draw.standard_normal((rows, width)), to))
            kernel.check(draw.standard_normal((1, 2, kernel.sizes.input)).astype(np.float32))
            assert (kernel.prepared(False).nbytes == kernel.prepared(True).nbytes) == is_large


@pytest.mark.parametrize("which", PRODUCTS)
def test_double_weights_stay_wide(which):
    values = rounded(np.random.default_rng(5).standard_normal((300, 300)), "bf16").astype(np.float64)
    kernel = product(which, values)
    assert kernel.prepared(True).nbytes == kernel.prepared(False).nbytes >= values.nbytes
    x = np.ones((1, 2, 300))
    np.testing.assert_array_equal(kernel.run(x, (), kernel.prepared(True))[0], kernel.run(x, (), None)[0])


@pytest.mark.parametrize("which", PRODUCTS)
def test_every_scale_is_found_again(which):
    """The scales of rows of all magnitudes, rounded by the quantizer, are found."""
    draw = np.random.default_rng(6)
    for _ in range(20):
        size = 2.0 ** draw.uniform(-90, 120, (400, 1))
        values = rounded(draw.uniform(-1, 1, (400, 90)) * size, "int8")
        assert is_quantized(which, values)


@pytest.mark.parametrize("which", PRODUCTS)
@pytest.mark.parametrize(
    "largest", [1.0, np.float32(2 - 2**-23), 127, 2.0**-60, 1.9e38, float(np.finfo(np.float32).max)]
)
def test_scales_at_the_ends_of_a_power_of_two(which, largest):
    values = np.linspace(-largest, largest, 255, dtype=np.float64) * np.ones((255, 1))
    assert is_quantized(which, rounded(values, "int8"))


SPECIAL = {
    "a negative zero": (-0.0, False),
    "a NaN": (np.nan, False),
    "an infinity": (np.inf, False),
    "a denormal": (1e-40, False),
    "a zero": (0.0, True),
    "the largest, negative": (-127.0, True),
    "beyond the grid": (128.0, False),
    "off the grid": (0.5, False),
}


@pytest.mark.parametrize("which", PRODUCTS)
@pytest.mark.parametrize("kind", SPECIAL)
def test_int8_holds_only_what_comes_back(which, kind):
    number, expected = SPECIAL[kind]
    values = np.random.default_rng(7).integers(-127, 128, (255, 131)).astype(np.float32)
    values[:, 0] = 127
    values[17, 5] = number
    values *= np.float32(0.3)  # otherwise bfloat16 would hold them too
    assert is_quantized(which, values) == expected
    product(which, values).check(
        np.random.default_rng(8).standard_normal((1, 5, values.shape[which == "x @ W.T"])).astype("f")
    )


@pytest.mark.parametrize("which", PRODUCTS)
def test_rows_of_zeros_and_scales_next_to_nothing(which):
    values = rounded(np.random.default_rng(9).standard_normal((255, 131)), "int8").copy()
    values[3] = values[200] = 0
    assert is_quantized(which, values)
    product(which, values).check(np.ones((1, 3, values.shape[which == "x @ W.T"]), np.float32))
    for scale, expected in ((2.0**-102, True), (2.0**-103, False), (2.0**-149, False)):
        values[4] = np.arange(-3, 128) * np.float32(scale)
        values[4, :4] = 0
        assert is_quantized(which, values) == expected
        product(which, values).check(np.full((1, 3, values.shape[which == "x @ W.T"]), 1e30, np.float32))


@pytest.mark.parametrize("which", PRODUCTS)
def test_bfloat16_holds_every_number_of_16_bits(which):
    """Infinities, NaN, zeros of both signs and denormals are among the numbers."""
    values = (np.arange(2**16, dtype=np.uint32) << 16).view(np.float32).reshape(256, 256)
    assert is_quantized(which, values)
    draw = np.random.default_rng(10)
    product(which, values).check(draw.standard_normal((1, 5, 256)).astype(np.float32))
    finite = np.where(np.isfinite(values), values, 0)
    product(which, finite).check(draw.standard_normal((1, 3, 256)).astype(np.float32) * np.float32(1e-3))
    almost = finite.copy().view(np.uint32)
    almost[255, 255] |= 1
    assert not is_quantized(which, almost.view(np.float32))


def test_matrices_that_are_rows_and_columns_stay_wide():
    """In int8, neither rows nor columns of these matrices have one scale."""

    @feed_forward
    def both(x, *, A, B):
        return x @ A + x @ B.T

    draw = np.random.default_rng(11)
    weights = [rounded(draw.standard_normal((70, 70)), "int8") for _ in range(2)]
    Kernel(trace(both), weights, 70, 70).check(draw.standard_normal((1, 6, 70)).astype(np.float32))
