"""Shapes follow from use; a variable whose shape is open or contradictory is refused by name."""

import re

import pytest

from recurra import EquationError, cell, concat, eye, heads, scalar, sigmoid, split, tanh
from recurra.compiler import trace
from recurra.program import shape_text
from tests.compiler.traced import refused, shapes


def test_shapes_follow_from_use():
    @cell
    def everything(x, h, previous, *, W, M, alpha, p, R, V, b):
        A = M - M.T - scalar(alpha) * eye()
        both = concat(x, previous, h)
        a, b_ = split(both @ W + b, 2)
        h = h + p * tanh(a * sigmoid(b_) + h @ A + heads(h, 4) @ R + x @ V)
        return h, x

    assert shapes(everything) == {
        "W": "(2*input + hidden, 2*hidden)",
        "M": "(hidden, hidden)",
        "alpha": "scalar",
        "p": "(hidden)",
        "R": "(4, hidden/4, hidden/4)",
        "V": "(input, hidden)",
        "b": "(2*hidden)",
    }
    assert [shape_text(state.shape) for state in trace(everything).states] == ["(hidden)", "(input)"]


def test_stacked_weights_can_be_split_as_matrices():
    @cell
    def stacked(x, h, *, weight_ih, weight_hh):
        V_r, V_n = split(weight_hh.T, 2)
        W_r, W_n = split(weight_ih.T, 2)
        r = sigmoid(x @ W_r + h @ V_r)
        return tanh(x @ W_n + (r * h) @ V_n)

    assert shapes(stacked) == {"weight_ih": "(2*hidden, input)", "weight_hh": "(2*hidden, hidden)"}


def test_parameters_made_of_parameters():
    @cell
    def made(x, h, *, W, A, B, M, N):
        return tanh(x @ (W * A) + h @ (B @ B) + h @ (M @ N + eye()) + h @ (M.T @ M))

    assert shapes(made) == {
        "W": "(input, hidden)",
        "A": "(input, hidden)",
        "B": "(hidden, hidden)",
        "M": "(hidden, hidden)",
        "N": "(hidden, hidden)",
    }

    def low_rank(x, h, *, W, A, B):
        return tanh(x @ W + h @ (A @ B))

    assert re.search(r"`A`.*\(hidden, ·\)", refused(low_rank))


def test_sizes_that_differ():
    def differing(x, h, *, W, b):
        z = x @ W + x
        return tanh(z + h + b)

    message = refused(differing)
    assert "return tanh(z + h + b)" in message
    assert "`z` (input) and `h` (hidden)" in message


def test_a_parameter_in_two_sizes():
    def twice(x, h, *, W):
        z = x @ W
        return tanh(z + h @ W)

    message = refused(twice)
    assert "parameter `W` has shape (input, ·)" in message
    assert "`z = x @ W`" in message
    assert "    return tanh(z + h @ W)" in message
    assert "(hidden, ·)" in message


def test_a_state_of_another_size():
    def other(x, h, c, *, W):
        h = tanh(x @ W + h + c)
        return h, concat(c, c)

    assert re.search(r"\(2\*hidden\), but as a new state it must have \(hidden\)", refused(other))


def test_a_size_that_nothing_fixes():
    def open_size(x, h, *, A, B):
        return tanh((x @ A) @ B + h)

    message = refused(open_size)
    assert "parameter `A`" in message
    assert "(input, ·)" in message


def free(x, h, *, D, b, W):
    d = tanh(x @ D + b)
    return tanh(concat(d, h) @ W)


def test_sizes_by_name():
    assert shapes(cell(free), sizes={"d": 23}) == {"D": "(input, 23)", "b": "(23)", "W": "(hidden + 23, hidden)"}
    assert shapes(cell(free), sizes={"D": ("input", "hidden/4")}) == shapes(cell(free), sizes={"b": "hidden/4"})
    assert shapes(cell(sizes={"d": 7})(free))["b"] == "(7)"
    assert shapes(cell(sizes={"d": 7})(free), sizes={"d": 9})["b"] == "(9)"


def test_the_sizes_of_states_and_of_the_output():
    @cell(output="y", sizes={"y": 23, "s": 48, "U": ("hidden", 8)})
    def several(x, h, s, *, W, U, V, A, B):
        h = tanh(x @ W + h @ (U @ V))
        s = tanh(s * (h @ A))
        y = concat(h, s) @ B
        return h, s

    program = trace(several)
    assert [shape_text(state.shape) for state in program.states] == ["(hidden)", "(48)"]
    assert shape_text(program.output.shape) == "(23)"
    assert shapes(several)["V"] == "(8, hidden)"
    assert shapes(several)["B"] == "(hidden + 48, 23)"


def test_a_name_that_is_assigned_again_has_the_size_of_its_last_value():
    @cell(sizes={"d": 5})
    def again(x, h, *, D, E, W):
        d = tanh(x @ D)
        d = tanh((d * d) @ E)
        return tanh(concat(d, h) @ W)

    assert shapes(again, sizes={"D": ("input", 3)})["E"] == "(3, 5)"


def test_the_entry_that_would_fix_an_open_size():
    assert "give the size: sizes={'d': n}" in refused(free)

    def low_rank(x, h, *, W, A, B):
        return tanh(x @ W + h @ (A @ B))

    assert "give the size: sizes={'A': ('hidden', n)}" in refused(low_rank)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"q": 3}, r"sizes= names 'q', which is no variable of its equations: x, h, D, b, W, d"),
        ({"h": 3}, r"sizes= gives `h` the shape \(3\), but it is \(hidden\): the layer's input_size, hidden_size"),
        ({"x": 3}, r"sizes= gives `x` the shape \(3\), but it is \(input\)"),
        ({"d": 3, "b": 4}, r"shapes do not match: .*; sizes= gives d \(3\), b \(4\)"),
        ({"D": 3}, r"shapes do not match: .*; sizes= gives D \(3\)"),
    ],
    ids=str,
)
def test_sizes_that_cannot_be(sizes, message):
    with pytest.raises(EquationError, match=message):
        trace(cell(free), sizes=sizes)
