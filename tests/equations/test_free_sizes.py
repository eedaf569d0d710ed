"""Sizes by name, as a cell or a layer takes them: whole numbers, texts, tuples for matrices."""

import numpy as np
import pytest

from recurra import EquationError, cell, concat, tanh
from recurra.equations.free_sizes import free_sizes, size_argument
from recurra.program import shape_text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (48, "(48)"),
        (np.int64(48), "(48)"),
        ("hidden/4", "(hidden/4)"),
        ("2*hidden+8", "(2*hidden + 8)"),
        ("input + hidden", "(input + hidden)"),
        (("hidden", 8), "(hidden, 8)"),
    ],
)
def test_sizes(given, text):
    shape = free_sizes("c", {"d": given})["d"]
    assert shape_text(shape) == text
    assert free_sizes("c", {"d": size_argument(shape)}) == {"d": shape}  # as a layer keeps it


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (0, EquationError, r"cell 'c': sizes\['d'\] must be greater than zero; got 0"),
        (-3, EquationError, "greater than zero; got -3"),
        ("0*hidden", EquationError, "greater than zero"),
        (2.5, TypeError, r"must be a whole number, or a text such as 'hidden/4'; got 2\.5"),
        (True, TypeError, "whole number"),
        (None, TypeError, "whole number"),
        ("width", EquationError, "'width' in 'width' is neither `input` nor `hidden`"),
        ("hidden*4", EquationError, "is not a size such as"),
        ((), EquationError, "a tuple of two for a matrix"),
        ((1, 2, 3, 4), EquationError, "a tuple of two for a matrix"),
    ],
)
def test_wrong_sizes(given, error, message):
    with pytest.raises(error, match=message):
        free_sizes("c", {"d": given})


@pytest.mark.parametrize("given", [[1], 5, {1: 5}, "d"])
def test_sizes_are_a_dictionary(given):
    with pytest.raises(TypeError, match=r"sizes must be a dictionary such as \{'d': 48\}"):
        free_sizes("c", given)


def test_a_cell_checks_its_sizes_where_it_is_made():
    with pytest.raises(EquationError, match="cell 'early': sizes"):

        @cell(sizes={"d": 0})
        def early(x, h, *, D, W):
            d = tanh(x @ D)
            return tanh(concat(d, h) @ W)


def test_a_layers_sizes_win():
    @cell(sizes={"d": 5, "e": "hidden"})
    def both(x, h, *, D, W):
        d = tanh(x @ D)
        return tanh(concat(d, h) @ W)

    assert {name: shape_text(shape) for name, shape in both.resolve_sizes({"d": "hidden/2"}).items()} == {
        "d": "(hidden/2)",
        "e": "(hidden)",
    }
