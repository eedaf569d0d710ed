from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import EquationError, ProgramError
from recurra.program import HIDDEN, INPUT, Size, Sizes

factors = st.fractions(min_value=Fraction(1, 9), max_value=9, max_denominator=9)
sizes = st.dictionaries(st.sampled_from(["input", "hidden", "proj", ""]), factors, min_size=1).map(Size.of)


@given(sizes)
def test_printed_sizes_are_read_back(size):
    assert Size.parse(str(size)) == size


@given(sizes, sizes, st.integers(1, 5))
def test_arithmetic_is_that_of_the_numbers(a, b, n):
    numbers = Sizes(2520 * 2520, 2520 * 2520 * 2, 2520 * 2520 * 3)

    def value(size):
        return sum(factor * (getattr(numbers, symbol) if symbol else 1) for symbol, factor in size.terms)

    assert value(a + b) == value(a) + value(b)
    assert value(a - b) == value(a) - value(b)
    assert value(a * n) == value(a) * n
    assert value(a / n) == Fraction(value(a), n)


def test_readable():
    assert str(HIDDEN * 4) == "4*hidden"
    assert str(INPUT + HIDDEN) == "input + hidden"
    assert str(HIDDEN / 2) == "hidden/2"


def test_a_size_must_come_out_whole():
    assert (HIDDEN / 2).value(Sizes(3, 8)) == 4
    with pytest.raises(EquationError, match=r"hidden/2 is not a whole number for hidden=7"):
        (HIDDEN / 2).value(Sizes(3, 7))


NO_SIZES = ["", "4*", "4hidden", "4*/2", "/2", "hidden/0", "Hidden", "a b", "4**hidden", "-hidden", "?1", "9" * 20, "+"]


@pytest.mark.parametrize("text", [*NO_SIZES, "x" * 500, " + ".join(["hidden"] * 30)])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ProgramError):
        Size.parse(text)
