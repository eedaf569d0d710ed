"""Marks of axes stand at round numbers."""

import pytest

from recurra.page.ticks import log_marks, number_marks, shown


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 620, ["0", "100", "200", "300", "400", "500", "600"]),
        (-0.013, 0.031, ["−0.01", "0", "0.01", "0.02", "0.03"]),
        (0, 5.2e12, ["0", "1×10¹²", "2×10¹²", "3×10¹²", "4×10¹²", "5×10¹²"]),
        (0.99, 1.01, ["0.990", "0.995", "1.000", "1.005", "1.010"]),
    ],
)
def test_round_numbers(low, high, texts):
    assert [mark.text for mark in number_marks(low, high)] == texts


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_any_scale_has_marks_inside_of_the_axis(scale):
    marks = number_marks(0.3 * scale, 7.7 * scale)
    assert 3 <= len(marks) <= 9
    assert all(0.29 * scale <= mark.at <= 7.71 * scale for mark in marks)
    assert len({mark.text for mark in marks}) == len(marks)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.8, 12.0, ["1", "2", "5", "10"]),
        (1e-12, 2.0, ["10⁻¹²", "10⁻¹⁰", "10⁻⁸", "10⁻⁶", "0.0001", "0.01", "1"]),
        (1.0, 1000.0, ["1", "3", "10", "30", "100", "300", "1,000"]),
        (2.0, 3.4, ["2", "3"]),
        (2.1, 2.9, ["2.2", "2.4", "2.6", "2.8"]),
    ],
)
def test_logarithms(low, high, texts):
    assert [mark.text for mark in log_marks(low, high)] == texts


def test_numbers_have_the_decimals_that_their_distance_asks_for():
    assert shown(1234.5678, 0.1) == "1,234.6"
    assert shown(-2.0, 1.0) == "−2"
    assert shown(1.25e-9, 1e-11) == "1.25×10⁻⁹"
