"""Programs that are layers of torch's are found by structure, and no other program is taken for one."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import cell, cells, dropout, layer_norm, relu, sigmoid, split, tanh
from recurra.cells.known import find_known
from recurra.compiler import drop_biases, plan, trace
from tests.cells.known_cells import KINDS, compiled, known_source
from tests.random_cells import random_cell

seeds = st.integers(0, 2**32)


def found(program):
    """The mode that is found for a program, the same before and after it is scheduled."""
    modes = [known and known.mode for known in (find_known(program), find_known(plan(program).program))]
    assert modes[0] == modes[1]
    return modes[0]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50)
@given(seed=seeds)
def test_however_it_is_written(kind, seed):
    source = known_source(kind, seed)
    program = trace(compiled(source))
    assert found(program) == kind, source
    assert found(drop_biases(program)) == kind, source


@settings(max_examples=25)
@given(seed=seeds)
def test_projections(seed):
    program = trace(compiled(known_source("LSTM", seed)), projected=True)
    assert found(program) == "LSTM"
    assert find_known(program).is_projected


@pytest.mark.parametrize(
    ("name", "options", "mode"),
    [
        ("lstm", {}, "LSTM"),
        ("gru", {}, "GRU"),
        ("rnn", {}, "RNN_TANH"),
        ("rnn", {"nonlinearity": relu}, "RNN_RELU"),
        ("rnn", {"nonlinearity": sigmoid}, None),
        ("echo_state", {}, "RNN_TANH"),
        ("echo_state", {"leak": 0.5}, None),
        *((name, {}, None) for name in cells.all() if name not in ("lstm", "gru", "rnn", "echo_state")),
    ],
)
def test_the_zoo(name, options, mode):
    program = trace(cells.all()[name], options)
    assert found(program) == mode
    without = drop_biases(program)
    assert found(without) == mode
    assert mode is None or not find_known(without).has_biases


def test_torchs_own_layout_is_torchs_own_order():
    known = find_known(trace(cells.lstm))
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        gates = getattr(known, name)
        assert [[block.parameter.name for block in blocks] for blocks in gates] == [[name]] * 4
        assert [blocks[0].columns[0].factor("hidden") for blocks in gates] == [0, 1, 2, 3]


CHANGES = {
    "another function": (r"sigmoid\(", "relu("),
    "another function of the candidate": (r"= tanh\(", "= sigmoid("),
    "no function": (r"= (?:sigmoid|tanh|relu)\(", "= ("),
    "the opposite": (r"= (sigmoid|tanh|relu)\(", r"= \1(-1 * "),
    "twice": (r"= (sigmoid|tanh|relu)\(", r"= \1(2 * "),
    "an initial bias": (r"= (sigmoid|tanh|relu)\((.*)\)$", r"= \1(\2 + 1.0)"),
    "a residual": (r"    h = (.*)$", r"    h = \1 + h"),
    "a half": (r"    h = (.*)$", r"    h = 0.5 * (\1)"),
    "a function of the state": (r"h @ ", "tanh(h) @ "),
    "a function of the input": (r"x @ ", "relu(x) @ "),
    "a product of states": (r"h @ ", "(h * h) @ "),
    "a peephole": (r"= (sigmoid|tanh|relu)\((.*)\)$", r"= \1(\2 + h * q)"),
    "another matrix": (r"= (sigmoid|tanh|relu)\((.*)\)$", r"= \1(\2 + x @ q)"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(seed=seeds)
def test_near_misses(kind, change, seed):
    source = known_source(kind, seed)
    pattern, replacement = CHANGES[change]
    changed = re.sub(pattern, replacement, source, count=1, flags=re.MULTILINE)
    if "q" in replacement:
        changed = changed.replace("*, ", "*, q, ", 1)
    if changed == source:  # there is nothing of this kind in it
        return
    assert found(trace(compiled(changed))) is None, changed


def test_other_near_misses():
    @cell
    def swapped(x, h, *, W, U, b):
        """The update gate with its two roles exchanged: another sign inside would make it the same, but it is not."""
        r, z, n = split(x @ W + b, 3)
        r_h, z_h, n_h = split(h @ U, 3)
        z, n = sigmoid(z + z_h), tanh(n + sigmoid(r + r_h) * n_h)
        h = (1 - z) * h + z * n
        return h

    @cell
    def coupled(x, h, c, *, W, U, b):
        i, g, o = split(x @ W + h @ U + b, 3)
        i = sigmoid(i)
        c = (1 - i) * c + i * tanh(g)
        h = sigmoid(o) * tanh(c)
        return h, c

    @cell
    def old_cell_state(x, h, c, *, W, U, b):
        i, f, g, o = split(x @ W + h @ U + b, 4)
        h = sigmoid(o) * tanh(c)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return h, c

    @cell(output="c")
    def other_output(x, h, c, *, W, U, b):
        i, f, g, o = split(x @ W + h @ U + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return h, c

    @cell
    def normed(x, h, c, *, W, U, b):
        i, f, g, o = split(layer_norm(x @ W) + h @ U + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return h, c

    @cell
    def dropped(x, h, *, W, U, b):
        h = tanh(x @ W + dropout(h, 0.5) @ U + b)
        return h

    @cell
    def of_three_states(x, h, c, m, *, W, U, b):
        i, f, g, o = split(x @ W + h @ U + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return h, c, m + 1

    @cell
    def without_input(x, h, *, W, U, b):
        h = tanh(x @ W) * 0 + tanh(h @ U + b)
        return h

    for each in (swapped, coupled, old_cell_state, other_output, normed, dropped, of_three_states, without_input):
        assert found(trace(each)) is None, each.name


def test_one_matrix_for_two_gates():
    @cell
    def shared(x, h, c, *, W, U, W_g, U_g, b):
        i, o = split(sigmoid(x @ W + h @ U + b), 2)
        g = tanh(x @ W_g + h @ U_g)
        c = i * c + i * g
        h = o * tanh(c)
        return h, c

    known = find_known(trace(shared))
    assert known.mode == "LSTM"
    assert known.weight_ih[0] == known.weight_ih[1] != known.weight_ih[3]
    assert known.bias_ih[2] == known.bias_hh[2] == ()


@settings(max_examples=25)
@given(seed=seeds)
def test_random_cells_are_none(seed):
    assert found(trace(random_cell(seed))) is None


def test_large_programs_take_no_time():
    """Polynomials that grow too large are given up early."""

    @cell
    def large(x, h, *, W, U):
        value = x @ W + h @ U
        for _ in range(2000):
            value = tanh(value) * value + value
        h, _ = split(value, 2)
        return h

    assert found(trace(large)) is None
