"""The reference engine: numpy against torch, all operations, gradients, and all layouts of sequences."""

import math

import numpy as np
import pytest
import torch

import recurra
from recurra import cell
from recurra.compiler import plan, trace
from recurra.engines import Call, choose
from recurra.engines.reference import ReferenceEngine, numpy_table, torch_table
from recurra.engines.reference.numpy_table import sigmoid
from recurra.program import Sizes
from tests.random_cells import random_inputs, random_program

ENGINE = ReferenceEngine()
UNEVEN = [4, 4, 3, 1, 1]


def tensors(arrays):
    return [torch.tensor(array, dtype=torch.float64) for array in arrays]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_numpy_and_torch_agree(seed, reverse):
    program = random_program(seed)
    x, states, parameters, sizes = random_inputs(program, seed, UNEVEN)
    reset = np.random.default_rng(seed).random((sum(UNEVEN), 1)) < 0.2
    kernel = ENGINE.build(plan(program, traced=True))
    a = kernel.forward(Call(x, UNEVEN, states, parameters, sizes, reset=reset, reverse=reverse))
    b = kernel.forward(
        Call(
            torch.tensor(x), UNEVEN, tensors(states), tensors(parameters), sizes, reset=torch.tensor(reset),
            reverse=reverse,
        )
    )  # fmt: skip
    for mine, other in zip([a.output, *a.states], [b.output, *b.states], strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-11, atol=1e-12)
    assert list(a.traced) == list(b.traced)
    for name in a.traced:
        np.testing.assert_allclose(a.traced[name], b.traced[name].numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_gradients_by_finite_differences(seed, reverse):
    program = random_program(seed, differentiable=True)
    sizes_of_steps = [2, 2, 1]
    x, states, parameters, sizes = random_inputs(program, seed, sizes_of_steps)
    inputs = [value.requires_grad_() for value in tensors([x, *states, *parameters])]
    kernel = ENGINE.build(plan(program))

    def run(x, *others):
        states, parameters = others[:2], others[2:]
        result = kernel.forward(Call(x, sizes_of_steps, states, parameters, sizes, reverse=reverse))
        return (result.output, *result.states)

    assert torch.autograd.gradcheck(run, inputs)


ELEMENTWISE = {
    "sigmoid": (recurra.sigmoid, lambda v: 1 / (1 + math.exp(-v))),
    "tanh": (recurra.tanh, math.tanh),
    "relu": (recurra.relu, lambda v: max(v, 0.0)),
    "exp": (recurra.exp, math.exp),
    "log": (lambda v: recurra.log(v * v + 0.5), lambda v: math.log(v * v + 0.5)),
    "softplus": (recurra.softplus, lambda v: math.log1p(math.exp(v))),
    "sqrt": (lambda v: recurra.sqrt(v * v + 0.5), lambda v: math.sqrt(v * v + 0.5)),
    "abs": (recurra.abs, abs),
    "sin": (recurra.sin, math.sin),
    "cos": (recurra.cos, math.cos),
    "erf": (recurra.erf, math.erf),
    "sign": (recurra.sign, lambda v: math.copysign(1.0, v) if v else 0.0),
    "floor": (recurra.floor, math.floor),
    "gelu": (recurra.gelu, lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2)))),
    "power": (lambda v: (v * v + 0.1) ** 1.5, lambda v: (v * v + 0.1) ** 1.5),
    "power of a number": (lambda v: 2.0**v, lambda v: 2.0**v),
    "divide": (lambda v: 3 / (v + 9), lambda v: 3 / (v + 9)),
    "subtract": (lambda v: 3 - v, lambda v: 3 - v),
    "negative": (lambda v: -v, lambda v: -v),
    "clip": (lambda v: recurra.clip(v, -0.5, 1.0), lambda v: min(max(v, -0.5), 1.0)),
    "minimum": (lambda v: recurra.minimum(0.5, v), lambda v: min(v, 0.5)),
    "maximum": (lambda v: recurra.maximum(v, 0.5), lambda v: max(v, 0.5)),
    "less": (lambda v: recurra.where(v < 0.5, 1.0, v), lambda v: 1.0 if v < 0.5 else v),
    "less_equal": (lambda v: recurra.where(v <= 0.0, 1.0, 2.0), lambda v: 1.0 if v <= 0 else 2.0),
    "greater": (lambda v: recurra.where(v < 0.5, v, 4.0), lambda v: v if v < 0.5 else 4.0),
    "greater_equal": (lambda v: recurra.where(v >= 0.0, v, 4.0), lambda v: v if v >= 0 else 4.0),
    "equal": (lambda v: recurra.where(v == 0.0, 5.0, v), lambda v: 5.0 if v == 0 else v),
    "not_equal": (lambda v: recurra.where(v != 0.0, v, 5.0), lambda v: 5.0 if v == 0 else v),
}


def one_step(function, x, h, library):
    """The new state of a cell ``h' = function(x @ eye + 0 * h)`` after one step."""

    @cell
    def single(x, h, *, W):
        return function(x @ W) + 0.0 * h

    program = trace(single)
    arrays = [x, h, np.eye(x.shape[1])]
    if library is torch:
        arrays = tensors(arrays)
    sizes = Sizes(x.shape[1], h.shape[1])
    result = ENGINE.build(plan(program)).forward(Call(arrays[0], [len(x)], [arrays[1]], [arrays[2]], sizes))
    return np.asarray(result.output)


@pytest.mark.parametrize("library", [np, torch])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name, library):
    function, expected = ELEMENTWISE[name]
    values = np.array([[-3.0, -0.5, 0.0, 0.25, 1.0, 2.5]])
    got = one_step(function, values, np.zeros((1, 6)), library)
    np.testing.assert_allclose(got[0], [expected(v) for v in values[0]], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("library", [np, torch])
def test_steps_and_erf_of_special_numbers(library):
    """NaN stays NaN, in both libraries."""
    values = np.array([[math.nan, math.inf, -math.inf, 0.0]])
    for function, expected in (
        (recurra.erf, [math.nan, 1.0, -1.0, 0.0]),
        (recurra.sign, [math.nan, 1.0, -1.0, 0.0]),
        (recurra.floor, [math.nan, math.inf, -math.inf, 0.0]),
    ):
        table = numpy_table if library is np else torch_table
        [x] = [values] if library is np else tensors([values])
        np.testing.assert_array_equal(np.asarray(table.ELEMENTWISE[function.__name__](x))[0], expected)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_that_of_torch(approximate):
    values = np.linspace(-9, 9, 601)[None]
    got = one_step(lambda v: recurra.gelu(v, approximate), values, np.zeros((1, 601)), torch)
    expected = torch.nn.functional.gelu(torch.from_numpy(values), approximate=approximate)
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-13, atol=1e-15)


def test_gelu_knows_two_ways():
    @cell
    def wrong(x, h, *, W):
        return recurra.gelu(x @ W + h, approximate="erf")

    with pytest.raises(recurra.EquationError, match="gelu: approximate must be 'none' or 'tanh', not 'erf'"):
        trace(wrong)


ALONG_FEATURES = {
    "mean": (lambda v: v * 0.0 + recurra.mean(v), lambda v: np.full(6, v.mean())),
    "sum": (lambda v: v * 0.0 + recurra.sum(v), lambda v: np.full(6, v.sum())),
    "max": (lambda v: v * 0.0 + recurra.max(v), lambda v: np.full(6, v.max())),
    "cumsum": (recurra.cumsum, np.cumsum),
    "softmax": (recurra.softmax, lambda v: np.exp(v) / np.exp(v).sum()),
    "layer_norm": (recurra.layer_norm, lambda v: (v - v.mean()) / np.sqrt(v.var() + 1e-5)),
    "rms_norm": (recurra.rms_norm, lambda v: v / np.sqrt((v * v).mean() + 1e-5)),
    "split and concat": (lambda v: recurra.concat(*recurra.split(v, 3)[::-1]), lambda v: v[[4, 5, 2, 3, 0, 1]]),
}


@pytest.mark.parametrize("library", [np, torch])
@pytest.mark.parametrize("name", ALONG_FEATURES)
def test_along_features(name, library):
    function, expected = ALONG_FEATURES[name]
    values = np.array([[-3.0, -0.5, 0.0, 0.25, 1.0, 2.5], [1.0, 5.0, -2.0, 0.0, 0.5, 0.1]])
    got = one_step(function, values, np.zeros((2, 6)), library)
    np.testing.assert_allclose(got, [expected(row) for row in values], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("library", [np, torch])
def test_block_diagonal_product(library):
    @cell
    def blocks(x, h, *, W, R):
        return x @ W + recurra.heads(h, 3) @ R

    numbers = np.random.default_rng(0)
    h, R = numbers.normal(size=(2, 6)), numbers.normal(size=(3, 2, 2))
    dense = np.zeros((6, 6))
    for n in range(3):
        dense[2 * n : 2 * n + 2, 2 * n : 2 * n + 2] = R[n]
    arrays = [np.zeros((2, 4)), h, np.zeros((4, 6)), R]
    x, state, *parameters = tensors(arrays) if library is torch else arrays
    sizes = Sizes(4, 6)
    result = ENGINE.build(plan(trace(blocks))).forward(Call(x, [2], [state], parameters, sizes))
    np.testing.assert_allclose(np.asarray(result.output), h @ dense, rtol=1e-13)


@pytest.mark.parametrize("library", [np, torch])
def test_heads_of_no_rows(library):
    @cell
    def blocks(x, h, *, W, R):
        return x @ W + recurra.heads(h, 3) @ R

    arrays = [np.zeros((0, 4)), np.zeros((0, 6)), np.zeros((4, 6)), np.zeros((3, 2, 2))]
    x, state, *parameters = tensors(arrays) if library is torch else arrays
    sizes = Sizes(4, 6)
    result = ENGINE.build(plan(trace(blocks))).forward(Call(x, [0], [state], parameters, sizes))
    assert tuple(result.output.shape) == (0, 6)


@pytest.mark.parametrize("library", [np, torch])
def test_a_row_s_number_meets_heads(library):
    @cell
    def scaled(x, h, *, W, R):
        return x @ W + (recurra.heads(h, 2) * recurra.mean(h)) @ R

    @cell
    def spelled(x, h, *, W, R):
        return x @ W + recurra.heads(h * recurra.mean(h), 2) @ R

    programs = [trace(scaled), trace(spelled)]
    x, states, parameters, sizes = random_inputs(programs[0], 0, [3, 2])
    if library is torch:
        x, states, parameters = tensors([x])[0], tensors(states), tensors(parameters)
    call = Call(x, [3, 2], states, parameters, sizes)
    one, other = (ENGINE.build(plan(program)).forward(call) for program in programs)
    np.testing.assert_allclose(one.output, other.output, rtol=1e-12)


def test_bounds_of_clip_that_vary_have_gradients():
    @cell
    def clipped(x, h, *, W, p):
        return recurra.clip(p, h, 1.0) + x @ W

    program = trace(clipped)
    x, states, parameters, sizes = random_inputs(program, 0, [3, 2])
    leaves = [torch.from_numpy(value).requires_grad_() for value in (x, *states, *parameters)]

    def run(x, h, *weights):
        return ENGINE.build(plan(program)).forward(Call(x, [3, 2], [h], weights, sizes)).output

    assert torch.autograd.gradcheck(run, leaves)


def test_numpy_sigmoid_over_the_whole_range():
    with np.errstate(all="raise", under="ignore"):
        values = sigmoid(np.array([-1e4, -745.0, -40.0, 0.0, 40.0, 1e4]))
    assert values[0] == 0.0
    assert values[2] == pytest.approx(math.exp(-40), rel=1e-14)
    assert values[3:].tolist() == [0.5, 1 / (1 + math.exp(-40)), 1.0]


def test_one_engine_one_kernel():
    scheduled = plan(trace(recurra.cells.gru))
    assert choose(scheduled).build(scheduled) is choose(scheduled).build(plan(trace(recurra.cells.gru)))


def test_numpy_s_error_function_in_blocks(monkeypatch):
    x = np.linspace(-3, 3, 35, dtype=np.float32).reshape(5, 7)
    whole = numpy_table.erf(x)
    monkeypatch.setattr(numpy_table, "_AT_ONCE", 4)
    assert np.array_equal(numpy_table.erf(x), whole)
