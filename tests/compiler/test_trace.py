"""Tracing: the programs of cells, and the refusals of faulty ones."""

import math
import re

import numpy as np
import pytest
import torch

import recurra
from recurra import cell, cells, tanh, where
from recurra.compiler import trace
from recurra.errors import EquationError
from recurra.program import OPERATIONS, shape_text
from tests.compiler.traced import refused, shapes


def test_local_names_survive():
    program = trace(cells.lstm)
    assert [name for name in program.named() if not name.startswith("a_")] == ["i", "f", "g", "o", "c", "h"]
    assert [new.name for new in program.next_states] == ["h'", "c'"]


def test_a_name_that_is_used_again_stands_for_its_last_value():
    @cell
    def again(x, h, *, W, U):
        z = x @ W
        z = z + h @ U
        z = tanh(z)
        return z

    program = trace(again)
    assert program.named()["z"] == program.next_states[0] == program.named()["h"]
    assert {"z", "z'", "z''"} <= {variable.name for variable in program.variables()}


def test_numbers_of_numpy_are_numbers():
    @cell
    def scaled(x, h, *, W):
        return tanh(np.float32(0.5) * (x @ W) + h * np.float64(0.25) - np.int64(1) + (1 - h) / np.float32(2))

    @cell
    def plain(x, h, *, W):
        return tanh(0.5 * (x @ W) + h * 0.25 - 1 + (1 - h) / 2)

    assert trace(scaled).equations == trace(plain).equations


def test_a_lambda_is_a_cell():
    layer = recurra.nn.Recurrent(cell(lambda x, h, *, W: tanh(x @ W + h)), 3, 4)
    assert layer(torch.zeros(2, 2, 3))[0].shape == (2, 2, 4)
    assert layer.program.name == "<lambda>"


def test_projection_changes_only_the_first_state():
    program = trace(cells.lstm, projected=True)
    assert [shape_text(state.shape) for state in program.states] == ["(proj)", "(hidden)"]
    assert shape_text(program.parameters[-1].shape) == "(proj, hidden)"
    assert shape_text(program.output.shape) == "(proj)"
    with pytest.raises(EquationError, match="shapes do not match"):
        trace(cells.gru, projected=True)


def test_output_that_is_no_state():
    @cell(output="y")
    def readout(x, h, *, W, U, V):
        h = tanh(x @ W + h @ U)
        y = h @ V + x
        return h

    program = trace(readout)
    assert program.output.name == "y"
    assert shape_text(program.output.shape) == "(input)"
    assert program.next_states[0] != program.output


def test_a_cell_can_be_written_with_another():
    @cell
    def residual(x, h, c, *, weight_ih, weight_hh, bias_ih, bias_hh):
        new_h, c = cells.lstm(x, h, c, weight_ih=weight_ih, weight_hh=weight_hh, bias_ih=bias_ih, bias_hh=bias_hh)
        h = h + new_h
        return h, c

    assert shapes(residual) == {p.name: shape_text(p.shape) for p in trace(cells.lstm).parameters}


def test_options():
    relu = trace(cells.rnn, {"nonlinearity": recurra.relu})
    assert relu == trace(cells.rnn, {"nonlinearity": "relu"}) != trace(cells.rnn)
    with pytest.raises(TypeError, match=r"'rnn' has no option slope; its options: nonlinearity"):
        trace(cells.rnn, {"slope": 1})
    with pytest.raises(EquationError, match=r"'swish' is no function"):
        trace(cells.rnn, {"nonlinearity": "swish"})


def test_an_unused_argument():
    def unused(x, h, c, *, W, V, b):
        dead = x @ V
        return tanh(x @ W + h), tanh(h)

    message = refused(unused)
    for name in ("state `c`", "parameter `V`", "parameter `b`"):
        assert name in message
    assert "def unused(x, h, c, *, W, V, b):" in message


def test_a_state_that_is_not_returned():
    def forgetful(x, h, c, *, W):
        h = tanh(x @ W + h + c)
        return h

    assert "state c is not returned" in refused(forgetful)


def test_a_python_if():
    def branching(x, h, *, W):
        z = x @ W + h
        if z > 0:
            z = h
        return z

    message = refused(branching)
    assert "if z > 0:" in message
    assert "`z > 0`" in message
    assert "where(condition, a, b)" in message


def test_chained_comparisons_and_not_are_refused_too():
    def chained(x, h, *, W):
        z = x @ W + h
        return where(0 < z < 1, z, h)

    def negated(x, h, *, W):
        z = x @ W + h
        return where(not z, z, h)

    for function in (chained, negated):
        assert "where(condition, a, b)" in refused(function)


def _torch_tanh(x, h, *, W):
    return torch.tanh(x @ W + h)


def _numpy_tanh(x, h, *, W):
    return np.tanh(x @ W + h)


def _math_tanh(x, h, *, W):
    return math.tanh(x @ W + h)


def _method(x, h, *, W):
    return (x @ W + h).relu()


def _modulo(x, h, *, W):
    return (x @ W + h) % 2


def _index(x, h, *, W):
    z = x @ W + h
    return z[0]


def _unpacked(x, h, *, W):
    z = x @ W + h
    a, b = z
    return a


def _array(x, h, *, W):
    return np.ones(3) * h + x @ W


def _matrix_left(x, h, *, W):
    return np.ones((3, 3)) @ h + x @ W


def _product_of_states(x, h, *, W):
    return tanh(x @ W) @ h


def _condition_as_number(x, h, *, W):
    return (h > 0) * (x @ W)


def _number_as_condition(x, h, *, W):
    return where(h, x @ W, h)


def _tensor_operand(x, h, *, W):
    return x @ W + h * torch.ones(3)


@pytest.mark.parametrize(
    ("function", "phrase"),
    [
        (_torch_tanh, r"unknown operation `torch\.tanh` on `x @ W \+ h`"),
        (_numpy_tanh, r"unknown operation `numpy\.tanh`"),
        (_math_tanh, r"`x @ W \+ h` has no number.*`math`"),
        (_method, r"unknown operation `\.relu`.*relu"),
        (_modulo, r"unknown operation `%`"),
        (_index, r"`z` cannot be indexed; `split\(z, n\)`"),
        (_unpacked, r"`z` cannot be unpacked"),
        (_array, r"numpy"),
        (_matrix_left, r"numpy"),
        (_product_of_states, r"right side of `@` must be a parameter.*`h`"),
        (_condition_as_number, r"`h > 0`.*`where` chooses"),
        (_number_as_condition, r"comparison such as `h > 0`.*`h`"),
        (_tensor_operand, r"Tensor|torch"),
    ],
)
def test_operations_that_are_none(function, phrase):
    assert re.search(phrase, refused(function))


def test_returned_values_must_be_of_the_cell():
    def constant(x, h, *, W):
        return 1.0

    def of_parameters(x, h, c, *, W):
        return tanh(x @ W + h + c), W

    assert "float" in refused(constant)
    assert "depends on parameters alone" in refused(of_parameters)


def test_the_language_works_inside_of_cells_only():
    with pytest.raises(EquationError, match=r"inside of a @recurra\.cell"):
        recurra.tanh(1.0)
    with pytest.raises(EquationError, match="inside of a"):
        cells.rnn(1, 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, *, W: x @ W,
        lambda x, h=1, *, W: x @ W + h,
        lambda *x, W: x,
        lambda x, h, **W: x,
        lambda: 1,
        lambda x, h, *, W, hidden_size=3: x @ W + h,
    ],
)
def test_signatures_that_are_no_cell(function):
    with pytest.raises(EquationError, match="cell '<lambda>'"):
        cell(function)


def test_output_and_init_must_name_something():
    with pytest.raises(EquationError, match="output='y' names no local variable"):
        trace(cell(output="y")(lambda x, h, *, W: tanh(x @ W + h)))
    with pytest.raises(EquationError, match="init names q"):
        cell(init={"q": 1.0})(lambda x, h, *, W: tanh(x @ W + h))


def test_a_second_trace_is_not_disturbed_by_a_failed_one():
    with pytest.raises(EquationError):
        trace(cell(lambda x, h, *, W: x))
    assert trace(cells.gru) == trace(cells.gru)


def test_every_operation_of_the_language_is_in_the_table():
    wanted = (
        "add subtract multiply divide negative power less less_equal greater greater_equal equal not_equal where "
        "sigmoid tanh relu exp log softplus sqrt abs minimum maximum clip sin cos erf sign floor mean sum max cumsum "
        "concat split heads product transpose mask"
    )
    assert set(wanted.split()) <= set(OPERATIONS)
