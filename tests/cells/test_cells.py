"""Each cell of the zoo against its paper's equations written out in numpy, and on every engine."""

import numpy as np
import pytest

from recurra import cells
from recurra.cells import standard, zoo
from recurra.compiler import plan, trace
from recurra.engines import ENGINES, Call, choose, engine
from recurra.equations import Cell
from tests.random_cells import random_inputs

SIZES = [3, 3, 2, 2, 1]


def sigma(x):
    return 1 / (1 + np.exp(-x))


def normal(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def relu(x):
    return np.maximum(x, 0)


def rnn(x, h, p):
    return (np.tanh(x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh),)


def gates(a, c):
    i, f, g, o = np.split(a, 4, -1)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def lstm(x, h, c, p):
    return gates(x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh, c)


def gru(x, h, p):
    n = h.shape[-1]
    a, b = x @ p.weight_ih.T + p.bias_ih, h @ p.weight_hh.T + p.bias_hh
    r, z = sigma(a[:, :n] + b[:, :n]), sigma(a[:, n : 2 * n] + b[:, n : 2 * n])
    return ((1 - z) * np.tanh(a[:, 2 * n :] + r * b[:, 2 * n :]) + z * h,)


def peephole_lstm(x, h, c, p):
    i = sigma(x @ p.W_i + h @ p.U_i + p.p_i * c + p.b_i)
    f = sigma(x @ p.W_f + h @ p.U_f + p.p_f * c + p.b_f)
    c = f * c + i * np.tanh(x @ p.W_g + h @ p.U_g + p.b_g)
    return sigma(x @ p.W_o + h @ p.U_o + p.p_o * c + p.b_o) * np.tanh(c), c


def layer_norm_lstm(x, h, c, p):
    i, f, g, o = np.split(normal(x @ p.W) * p.gamma_x + normal(h @ p.U) * p.gamma_h + p.b, 4, -1)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(normal(c) * p.gamma_c + p.beta_c), c


def multiplicative_lstm(x, h, c, p):
    return gates(x @ p.W + ((x @ p.W_m) * (h @ p.U_m)) @ p.M + p.b, c)


def gru_reset_before(x, h, p):
    r = sigma(x @ p.W_r + h @ p.U_r + p.b_r)
    z = sigma(x @ p.W_z + h @ p.U_z + p.b_z)
    return (z * h + (1 - z) * np.tanh(x @ p.W_n + (r * h) @ p.U_n + p.b_n),)


def mgu(x, h, p):
    f = sigma(x @ p.W_f + h @ p.U_f + p.b_f)
    return (f * np.tanh(x @ p.W_n + (f * h) @ p.U_n + p.b_n) + (1 - f) * h,)


def fast_rnn(x, h, p):
    return (sigma(p.alpha) * np.tanh(x @ p.W + h @ p.U + p.b) + sigma(p.beta) * h,)


def indrnn(x, h, p):
    return (relu(x @ p.W + p.u * h + p.b),)


def min_gru(x, h, p):
    z = sigma(x @ p.W_z + p.b_z)
    return ((1 - z) * h + z * (x @ p.W_n + p.b_n),)


def antisymmetric_rnn(x, h, p):
    A = p.M - p.M.T - 0.01 * np.eye(len(p.M))
    return (h + 0.1 * np.tanh(x @ p.W + h @ A + p.b),)


PAPERS = {
    function.__name__: function
    for function in (
        rnn, lstm, gru, peephole_lstm, layer_norm_lstm, multiplicative_lstm, gru_reset_before, mgu, fast_rnn, indrnn,
        min_gru, antisymmetric_rnn,
    )
}  # fmt: skip


class Parameters:
    def __init__(self, program, arrays):
        self.__dict__.update({p.name: array for p, array in zip(program.parameters, arrays, strict=True)})


def test_every_cell_is_here():
    written = {name for module in (standard, zoo) for name, value in vars(module).items() if isinstance(value, Cell)}
    assert set(PAPERS) == set(cells.all()) == written == set(cells.__all__) - {"all"}


@pytest.mark.parametrize(
    ("name", "which"),
    [
        (name, which)
        for name in PAPERS
        for which, each in ENGINES.items()
        if each.refuses(plan(trace(cells.all()[name])), "float64") is None
    ],
)
def test_a_cell_is_its_paper_s(name, which):
    program = trace(cells.all()[name])
    x, states, parameters, sizes = random_inputs(program, 1, SIZES, hidden=6, width=5)
    with engine(which):
        result = choose(plan(program)).build(plan(program)).forward(Call(x, SIZES, states, parameters, sizes))
    now, rows, outputs, ended = list(states), 0, [], []
    for size in SIZES:
        ended.append([state[size:] for state in now])
        now = [state[:size] for state in now]
        now = list(PAPERS[name](x[rows : rows + size], *now, Parameters(program, parameters)))
        outputs.append(now[0])
        rows += size
    np.testing.assert_allclose(result.output, np.concatenate(outputs), rtol=1e-12, atol=1e-13)
    for position, last in enumerate(result.states):
        expected = [now[position], *(states[position] for states in reversed(ended))]
        np.testing.assert_allclose(last, np.concatenate(expected), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", PAPERS)
def test_every_cell_has_its_source(name):
    assert any(character.isdigit() for character in cells.all()[name].__doc__), "the docstring gives paper and year"
