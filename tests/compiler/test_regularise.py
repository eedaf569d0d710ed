"""Where zoneout, recurrent dropout and weight normalisation change a program."""

import re

import pytest

from recurra import cell, cells, concat, heads, history, tanh
from recurra.compiler import plan, trace
from recurra.compiler.expectation import expectation
from recurra.compiler.memory import remembering_states
from recurra.compiler.regularise import recurrent_dropout, zoneout
from recurra.compiler.state_weights import state_matrices, weight_norm
from recurra.errors import EquationError


def text_of(program):
    """The program as text, with `m` for each mask."""
    return re.sub(r"mask\([^)]*\)", "m", str(program))


@cell
def stacked(x, h, s, *, W, U, V, R):
    """Its second state reads the first one's new value."""
    h = tanh(x @ W + h @ U)
    s = tanh(h @ V + s @ R)
    return h, s


@cell
def counting(x, h, n, *, W, U, V):
    last, older = history(x, 2)
    n = n + 1
    h = tanh(concat(x, last, older) @ V + n * (x @ W) + h @ U)
    return h, n


def test_zoneout_for_all_leaves_out_what_does_not_remember():
    program = trace(counting)
    assert remembering_states(program) == ["h"]
    zoned = zoneout(program, 0.25)
    assert [state.name for state in zoned.states] == ["h", "n", "x_history"]
    assert zoned.next_states[1:] == program.next_states[1:]
    assert "h'' = m * h + (1 - m) * h'" in text_of(zoned).replace("t1", "m")
    assert "n'' = " in text_of(zoneout(program, {"n": 0.25}))


def test_the_output_is_the_state_after_zoneout():
    zoned = zoneout(trace(cells.lstm), {"c": 0.5})
    assert zoned.output == trace(cells.lstm).output
    zoned = zoneout(trace(cells.lstm), {"h": 0.5})
    assert zoned.output == zoned.next_states[0]
    assert zoned.output.name == "h''"


def test_dropout_of_old_states_alone():
    text = text_of(recurrent_dropout(trace(stacked), 0.5))
    assert "h' = tanh(x @ W + (h * m) @ U)" in text
    assert "s' = tanh(h' @ V + (s * m) @ R)" in text


def test_dropout_of_one_state():
    text = text_of(recurrent_dropout(trace(stacked), {"s": 0.5}))
    assert "h' = tanh(x @ W + h @ U)" in text
    assert "s' = tanh(h' @ V + (s * m) @ R)" in text


def test_dropout_leaves_inputs_and_their_history():
    text = text_of(recurrent_dropout(trace(counting), 0.5))
    assert "concat(x, last, older) @ V" in text
    assert "(h * m) @ U" in text
    assert state_matrices(trace(counting)) == ["U"]


def test_dropout_of_parts():
    @cell
    def joined(x, h, *, W, R):
        h = tanh(concat(x, h) @ W) + heads(h, 2) @ R
        return h

    program = recurrent_dropout(trace(joined), 0.5)
    assert len(program.masks) == 1
    text = text_of(program)
    assert "t1 = h * m" in text
    assert "concat(x, t1) @ W" in text
    assert "heads(t1, count=2) @ R" in text


def test_a_projection_is_not_dropped():
    text = text_of(recurrent_dropout(trace(cells.lstm, projected=True), 0.5))
    assert "(h * m) @ weight_hh.T" in text
    assert "h'' = h' @ weight_hr.T" in text


def test_a_product_of_products_has_a_mask_of_its_own():
    program = recurrent_dropout(trace(cells.multiplicative_lstm), 0.5)
    assert len(program.masks) == 2
    assert "(m * m) @ M" in text_of(program)


def test_the_layers_of_a_step_share_the_mask_of_the_state():
    program = recurrent_dropout(trace(cells.rhn), 0.5)
    assert len(program.masks) == 1


@pytest.mark.parametrize("name", ["lstm", "gru", "mgu", "multiplicative_lstm", "rhn"])
def test_dropout_leaves_the_plain_plan_in_evaluation(name):
    program = trace(cells.all()[name])
    assert plan(expectation(recurrent_dropout(program, 0.5))) == plan(program)


def test_a_value_by_name_is_dropped_wherever_it_is_read():
    @cell
    def read_twice(x, h, *, W, U, V):
        g = tanh(x @ W + h @ U)
        h = 0.5 * h + g + g @ V
        return h

    assert "h' = 0.5 * h + t1 + t1 @ V" in text_of(recurrent_dropout(trace(read_twice), {"g": 0.5}))


def test_probabilities_of_zero_and_one():
    program = trace(cells.mgu)
    assert recurrent_dropout(program, {"n": 0.0, "h": 0.0}) == program
    [mask] = recurrent_dropout(program, {"n": 1.0}).masks
    assert mask.attributes["on"] == 0


def test_gains_follow_the_units_of_the_products():
    shapes = {p.name: str(p.shape[0]) for p in weight_norm(trace(cells.lstm), ["weight_ih", "weight_hh"]).parameters}
    assert list(shapes) == [
        "weight_ih", "weight_ih_gain", "weight_hh", "weight_hh_gain", "bias_ih", "bias_hh",
    ]  # fmt: skip
    assert shapes["weight_ih_gain"] == shapes["weight_hh_gain"] == "4*hidden"

    @cell
    def taken(x, h, *, W, U, U_gain):
        return tanh(x @ W + h @ U) * U_gain

    with pytest.raises(EquationError, match="weight_norm needs the name U_gain, which the cell has"):
        weight_norm(trace(taken), ["U"])
