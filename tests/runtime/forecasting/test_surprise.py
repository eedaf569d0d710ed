"""The surprise of an observation, beside the probabilities that it stands for."""

from statistics import NormalDist

import numpy as np
import pytest

from recurra.runtime.forecasting.surprise import MOST, surprise_of
from recurra.series.forecast import LEVELS

STRAIGHT = np.array(LEVELS) * 100  # the quantiles of a uniform distribution


@pytest.mark.parametrize(("value", "probability"), [(50, 1), (75, 0.5), (25, 0.5), (95, 0.1), (5, 0.1), (85, 0.3)])
def test_bits_of_a_two_sided_probability(value, probability):
    assert surprise_of(value, LEVELS, STRAIGHT) == pytest.approx(-np.log2(probability))


def test_tails_go_on_from_the_last_two_quantiles():
    """The last two are 5 apart, and the probability halves between them: so it does with each further 5."""
    for steps in range(1, 8):
        for value in (95 + 5 * steps, 5 - 5 * steps):
            assert surprise_of(value, LEVELS, STRAIGHT) == pytest.approx(-np.log2(0.1 / 2**steps))


def test_it_grows_with_the_distance_up_to_its_bound():
    bits = [surprise_of(value, LEVELS, STRAIGHT) for value in (50, 60, 80, 99, 200, 1e6, 1e300)]
    assert bits == sorted(bits)
    assert bits[-1] == MOST


def test_near_a_normal_distribution():
    normal = NormalDist()
    quantiles = np.array([normal.inv_cdf(level) for level in LEVELS])
    for value in np.linspace(-1.6, 1.6, 9):
        expected = -np.log2(2 * normal.cdf(-abs(value)))
        assert surprise_of(value, LEVELS, quantiles) == pytest.approx(expected, abs=0.25)


def test_equal_quantiles():
    """Counts that are mostly zero, and a constant series."""
    counts = np.array([0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4.0])
    assert surprise_of(0.0, LEVELS, counts) == 0
    assert surprise_of(4.0, LEVELS, counts) == pytest.approx(-np.log2(0.1))
    assert surprise_of(-1.0, LEVELS, counts) == MOST
    constant = np.full(11, 7.0)
    assert surprise_of(7.0, LEVELS, constant) == 0
    assert surprise_of(7.1, LEVELS, constant) == MOST


def test_nothing_observed_is_no_surprise():
    assert surprise_of(np.nan, LEVELS, STRAIGHT) is None
    assert surprise_of(3.0, (0.5,), np.array([3.0])) == 0
    assert surprise_of(4.0, (0.5,), np.array([3.0])) == MOST
