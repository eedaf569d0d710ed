"""Messages that refuse shapes: the line with marks, both shapes, the equation that cannot hold, numbers, a fix."""

import pickle
import re

import pytest

import recurra
from recurra import cell, concat, heads, split, tanh
from recurra.compiler import trace
from recurra.errors import EquationError
from recurra.program import Sizes

MARKS = re.compile(r"^[~^ ]+\n", re.MULTILINE)  # from Python 3.11 on; tests/test_source_lines.py is about them


def message(function, at=None, **options):
    with pytest.raises(EquationError) as refused:
        trace(cell(**options)(function), at=at)
    return MARKS.sub("", str(refused.value))


def sum_of_two_sizes(x, h, *, W, b):
    z = x @ W + x
    return tanh(z + h + b)


def weights_of_two_sizes(x, h, *, W):
    return tanh(x @ W + h @ W)


def grown_state(x, h, c, *, W):
    h = tanh(x @ W + h + c)
    return h, concat(c, c)


def transposed_twice(x, h, *, weight, b):
    z = h @ weight.T
    return tanh(x @ weight + z + b)


def numbers(x, h, *, W, U):
    d = concat(split(x, 3)[0], h, h)
    return tanh(x @ W + d @ U + h)


def test_values_of_different_sizes():
    assert message(sum_of_two_sizes, Sizes(24, 96)).partition(": ")[2] == (
        "shapes do not match: `z` (input) and `h` (hidden) meet elementwise (`add`), but their shapes differ\n"
        "    return tanh(z + h + b)\n"
        "  this needs hidden = input: with input=24, hidden=96 that is 96 = 24\n"
        "  fix: `z @ P` with a further parameter `P` has the shape of the other"
    )


def test_a_parameter_of_two_sizes():
    text = message(weights_of_two_sizes)
    assert "parameter `W` has shape (input, ·) by its use at" in text
    assert "but in `h @ W` it must have (hidden, ·)" in text
    assert "this needs input = hidden\n" in text
    assert text.endswith("fix: a parameter of its own for each product, or one product, `concat(…, h) @ W`")


def test_a_parameter_that_is_transposed_only_once():
    text = message(transposed_twice)
    assert "parameter `weight` has shape (input, hidden) by its use at" in text
    assert "but in `weight.T` it must have (hidden, hidden)" in text


def test_a_transpose_that_is_missing():
    @cell(sizes={"W": ("hidden", "input")})
    def missing(x, h, *, W):
        return tanh(x @ W + h)

    with pytest.raises(EquationError, match=r"fix: `x @ W\.T` multiplies by its transpose"):
        trace(missing)

    @cell(sizes={"A": ("input", "hidden"), "B": ("hidden", "input")})
    def sum_of_matrices(x, h, *, A, B):
        return tanh(x @ (A + B) + h)

    with pytest.raises(
        EquationError, match=r"A` \(input, hidden\) and .*`B` \(hidden, input\).*\n.*\n.*\n.*\n.*`B\.T` has"
    ):
        trace(sum_of_matrices)


def test_a_state_of_another_size():
    text = message(grown_state, Sizes(3, 5))
    assert "`c` has shape (2*hidden), but as a new state it must have (hidden)" in text
    assert "    return h, concat(c, c)\n" in text
    assert "this needs 2*hidden = hidden: with input=3, hidden=5 that is 10 = 5\n" in text
    assert "fix: state `c` keeps its shape" in text


def test_sizes_by_name_that_cannot_be():
    text = message(numbers, Sizes(42, 96), sizes={"d": 410})
    assert "`d` has shape (410), but its equation `concat(" in text
    assert "gives (input/3 + 2*hidden)" in text
    assert "this needs 410 = input/3 + 2*hidden: with input=42, hidden=96 that is 410 = 206" in text
    fitting = message(numbers, Sizes(42, 198), sizes={"d": 410})
    assert "410 = 410; but equations must fit at all sizes" in fitting
    assert "that is" not in message(numbers, Sizes(41, 96), sizes={"d": 410})


@pytest.mark.parametrize("layer", [recurra.nn.Recurrent, recurra.nn.RecurrentCell])
def test_layers_say_their_numbers(layer):
    with pytest.raises(EquationError, match=r"with input=24, hidden=96 that is 96 = 24"):
        layer(cell(sum_of_two_sizes), 24, 96)


def test_a_size_that_is_no_whole_number():
    @cell
    def blocks(x, h, *, W, R):
        return tanh(x @ W + heads(h, 4) @ R)

    with pytest.raises(EquationError, match=r"hidden/4 is not a whole number for hidden=10: .* a multiple of 4"):
        recurra.nn.Recurrent(blocks, 3, 10)


def test_methods_and_functions_of_others_that_recurra_has():
    def method(x, h, *, W):
        return (x @ W + h).sigmoid()

    assert "unknown operation `.sigmoid` on `x @ W + h`: write recurra's `sigmoid(x @ W + h)`" in message(method)


def test_the_public_error():
    with pytest.raises(EquationError) as refused:
        trace(cell(grown_state))
    assert type(refused.value) is EquationError
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
