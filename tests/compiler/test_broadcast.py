"""Sums and the like over an axis of a parameter, and parameters of different shapes that meet elementwise."""

import numpy as np
import pytest
import torch

import recurra
from recurra import cell, exp, max, maximum, mean, scalar, sqrt, sum, tanh, where
from recurra.compiler import plan, trace
from recurra.engines import Call
from recurra.engines.native import NativeEngine
from recurra.engines.reference import ReferenceEngine
from recurra.errors import EquationError
from recurra.program import Program, Sizes
from tests.compiler.traced import refused, shapes


@cell
def of_columns(x, h, *, w, g, U):
    return tanh(x @ (w / sqrt(sum(w**2, axis=0)) * g) + h @ U)


@cell
def gain_first(x, h, *, w, g, U):
    return tanh(x @ (g * w / sqrt(sum(w**2, axis=0) + 1e-12)) + h @ U)


@cell
def of_rows(x, h, *, w, g, U):
    return tanh(x @ (w / maximum(sqrt(sum(w**2, axis=1, keepdims=True)), 1e-12) * g) + h @ U)


@cell
def of_rows_of_the_transpose(x, h, *, w, g, U):
    return tanh(x @ (w * (g / sqrt(sum(w**2, axis=-1)))[:, None]).T + h @ U)


@cell
def of_all(x, h, *, w, g, U):
    return tanh(x @ (w / sqrt(sum(w**2)) * g) + h @ U)


@pytest.mark.parametrize(
    ("made", "w", "g"),
    [
        (of_columns, "(input, hidden)", "(hidden)"),
        (gain_first, "(input, hidden)", "(hidden)"),
        (of_rows, "(input, hidden)", "(input, 1)"),
        (of_rows_of_the_transpose, "(hidden, input)", "(hidden)"),
        (of_all, "(input, hidden)", "scalar"),
    ],
)
def test_a_gain_has_the_shape_of_the_norm(made, w, g):
    assert shapes(made) == {"w": w, "g": g, "U": "(hidden, hidden)"}


def test_a_parameter_without_a_norm_is_a_matrix_as_the_other():
    @cell
    def masked(x, h, *, W, m, n, U):
        return tanh(x @ (W * m / scalar(n)) + h @ U)

    assert shapes(masked)["m"] == "(input, hidden)"
    assert shapes(masked, sizes={"m": "hidden"})["m"] == "(hidden)"
    assert shapes(masked, sizes={"m": ("input", 1)})["m"] == "(input, 1)"


def test_reductions_of_vectors_of_parameters():
    @cell
    def centred(x, h, *, W, b, s):
        return tanh(x @ W + h * (b - mean(b)) / (1 + sum(b, axis=0) ** 2) + (s - max(s, axis=-1, keepdims=True)))

    assert shapes(centred) == {"W": "(input, hidden)", "b": "(hidden)", "s": "(hidden)"}


@cell
def everything(x, h, *, A, B, p, q, r):
    C = A - mean(A, axis=0) + max(A, axis=1, keepdims=True) * p - (p[None, :] + q[:, None])
    C = where(mean(C, axis=1)[:, None] > 0, C, exp(-C)) ** 3 / (1 + max(abs(C)) + mean(C) ** 2)
    D = where(sum(B, axis=0) < B, B, p) * where(r > 0, r, -1.0)[:, None] + B.T
    return tanh(x @ C + h @ (D / sqrt(sum(D * D, axis=1, keepdims=True))))


def abs(x):
    return recurra.abs(x)


def by_hand(A, B, p, q, r):
    C = A - A.mean(0) + A.max(1, keepdims=True) * p - (p[None, :] + q[:, None])
    C = np.where(C.mean(1)[:, None] > 0, C, np.exp(-C)) ** 3 / (1 + np.abs(C).max() + C.mean() ** 2)
    D = np.where(B.sum(0) < B, B, p) * np.where(r > 0, r, -1.0)[:, None] + B.T
    return C, D / np.linalg.norm(D, axis=1, keepdims=True)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (3, 2), (8, 17), (17, 8), (40, 33)])
@pytest.mark.parametrize("engine", [NativeEngine(), ReferenceEngine()], ids=lambda engine: engine.name)
def test_matrices_beside_numpy(engine, sizes):
    draw = np.random.default_rng(sizes)
    program, numbers = trace(everything), Sizes(*sizes)
    weights = [draw.normal(size=[size.value(numbers) for size in p.shape]) for p in program.parameters]
    x, h = draw.normal(size=(1, 2, sizes[0])), draw.normal(size=(2, sizes[1]))
    output = engine.build(plan(program)).forward(Call(x, None, [h], weights, numbers)).output
    C, D = by_hand(*weights)
    np.testing.assert_allclose(output[0], np.tanh(x[0] @ C + h @ D), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("made", [of_columns, gain_first, of_rows, of_rows_of_the_transpose, of_all, everything])
@pytest.mark.parametrize("sizes", [(5, 7), (9, 33)])
def test_gradients_of_matrices(made, sizes):
    torch.manual_seed(0)
    layer = recurra.nn.Recurrent(made, *sizes, dtype=torch.float64)
    x = torch.randn(3, 2, sizes[0], dtype=torch.float64)
    found = []
    for engine in ("native", "reference"):
        with recurra.engine(engine):
            found.append(torch.autograd.grad(layer(x)[0].square().sum(), list(layer.parameters())))
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-11)
    if sizes == (5, 7):
        parameters = list(layer.parameters())
        assert torch.autograd.gradcheck(lambda *_: layer(x)[0], parameters)


def test_matrices_are_computed_once_per_call():
    once, before, step, after = plan(trace(everything)).stages
    assert {"max_along", "mean_along", "sum_along", "broadcast", "power"} <= {e.operation for e in once}
    assert [e.operation for e in (*before, *step, *after)] == ["product", "product", "add", "tanh"]


def test_programs_with_matrices_are_data_and_text():
    for made in (of_columns, gain_first, of_rows, of_rows_of_the_transpose, of_all, everything):
        program = trace(made)
        assert Program.from_json(program.to_json()) == program
    assert "x @ (w / sqrt(sum(w ** 2, axis=0)) * g) + h @ U" in str(trace(of_columns))
    assert "x @ (w * (g / sqrt(sum(w ** 2, axis=1)))[:, None]).T" in str(trace(of_rows_of_the_transpose))
    assert "x @ (w / sqrt(sum(w ** 2)) * g)" in str(trace(of_all))


def of_unknown_axis(x, h, *, W):
    return tanh(x @ (W / sum(W, axis=2)) + h)


def over_the_batch(x, h, *, W):
    return tanh(x @ W + h - mean(h, axis=1))


def varying_column(x, h, *, W):
    return tanh(x @ W + h[:, None])


def another_index(x, h, *, W, b):
    return tanh(x @ W + h + b[0])


def rows_without_a_column(x, h, *, W):
    return tanh(x @ (W / sqrt(sum(W**2, axis=1))) + h)


def vector_of_rows(x, h, *, W, g):
    return tanh(x @ (W * g) + h + mean(g * x))


@pytest.mark.parametrize(
    ("function", "phrase"),
    [
        (of_unknown_axis, "sum: axis must be 0 (a number for each column) or 1 (one for each row), not 2"),
        (over_the_batch, "mean: what differs from step to step has one axis, 0 or -1, not 1"),
        (varying_column, "`h` changes from step to step: only a vector of parameters becomes a column"),
        (another_index, "`b` cannot be indexed; `split(b, n)` cuts it in equal parts, and `b[:, None]` makes"),
        (rows_without_a_column, "`axis=1, keepdims=True` keeps a number for each row of `W`, as a column"),
    ],
)
def test_refusals_of_matrices(function, phrase):
    assert phrase in refused(function)


def test_a_vector_of_rows_is_made_a_column():
    function = cell(vector_of_rows)
    with pytest.raises(EquationError, match=r"fix: `g\[:, None\]` is a number for each row of `W \* g`, as a column"):
        trace(function, sizes={"g": "input"})
