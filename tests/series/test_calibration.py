"""Weights and widths from left-out windows."""

from dataclasses import replace

import numpy as np

from recurra.series.calibration import LEAST_WIDTH, MOST_WIDTH, calibrated, pinball, reference_quantiles
from recurra.series.forecast import LEVELS
from recurra.series.windows import EncodedWindows
from tests.series.recipes import MEDIAN, recipe

NORMAL = np.array([-1.645, -1.282, -0.842, -0.524, -0.253, 0.0, 0.253, 0.524, 0.842, 1.282, 1.645])


def windows(count, horizon=4):
    empty = np.zeros((1, count, 1), np.float32)
    least = np.full(count, -np.inf)
    return EncodedWindows(empty, empty, *np.zeros((2, count, horizon)), np.ones(count), np.zeros(count, bool), least)


def test_pinball_by_hand():
    losses = pinball(np.array([[1.0, 2.0]]), np.array([1.5]), (0.1, 0.5))
    np.testing.assert_allclose(losses, [[0.05, 0.25]])


def test_intervals_that_are_too_narrow_become_wide_enough():
    actual = np.random.default_rng(0).normal(size=(3000, 4))
    networks = np.broadcast_to(NORMAL / 2, (3000, 4, len(LEVELS)))
    found = calibrated(recipe(reference_quantiles=(tuple(NORMAL * 30),) * 4), windows(3000), networks, actual)
    assert found.network_weight > 0.99
    np.testing.assert_allclose(np.delete(found.widths, MEDIAN), 2.0, rtol=0.1)


def test_the_better_one_gets_the_weight_and_more_of_it_the_more_is_known():
    generator = np.random.default_rng(0)
    weights = []
    for count in (40, 4000):
        actual = generator.normal(size=(count, 4))
        bad = np.broadcast_to(NORMAL + 0.5, (count, 4, len(LEVELS)))
        good = recipe(reference_quantiles=(tuple(NORMAL),) * 4)
        weights.append(calibrated(good, windows(count), bad, actual).network_weight)
        swapped = replace(good, reference_quantiles=(tuple(NORMAL + 0.5),) * 4)
        other = calibrated(swapped, windows(count), np.broadcast_to(NORMAL, bad.shape), actual).network_weight
        assert other > 0.5
    assert 0.5 > weights[0] > weights[1]


def test_widths_stay_within_limits_and_nothing_observed_trusts_the_references():
    actual = np.full((50, 4), np.nan)
    networks = np.zeros((50, 4, len(LEVELS)))
    assert calibrated(recipe(), windows(50), networks, actual).network_weight == 0
    widths = calibrated(recipe(), windows(50), networks, np.full((50, 4), 9.0)).widths
    assert LEAST_WIDTH <= min(widths) <= max(widths) <= MOST_WIDTH


def test_quantiles_of_the_references_are_those_of_their_errors():
    actual = np.random.default_rng(0).normal(size=(5000, 4)) + 3
    found = np.array(reference_quantiles(windows(5000), actual, recipe()))
    np.testing.assert_allclose(found, np.tile(NORMAL, (4, 1)), atol=0.15)
    assert (found[:, MEDIAN] == 0).all()


def test_a_few_errors_say_how_far_and_not_where_to():
    found = np.array(reference_quantiles(windows(1), np.array([[2.0, -2.0, 0.0, np.nan]]), recipe()))
    assert (found[:2, 0] < -1).all()
    assert (found[:2, -1] > 1).all()
    assert not found[2:].any()
    np.testing.assert_allclose(found[0], -found[0, ::-1])


def test_windows_that_count_more_decide():
    actual = np.random.default_rng(0).normal(size=(200, 4))
    networks = np.tile(NORMAL, (200, 4, 1))
    networks[:100] += 1.0  # worse than the references in the first half, better in the second
    made, counts = recipe(reference_quantiles=(tuple(NORMAL + 0.5),) * 4), np.ones(200)
    alike = calibrated(made, windows(200), networks, actual).network_weight
    assert calibrated(made, windows(200), networks, actual, counts=counts).network_weight == alike
    counts[:100] = 0.1
    assert calibrated(made, windows(200), networks, actual, counts=counts).network_weight > max(alike, 0.5)
    counts[:100] = 10.0
    assert calibrated(made, windows(200), networks, actual, counts=counts).network_weight < min(alike, 0.5)


def test_fewer_windows_than_there_are_count_where_some_count_more():
    actual, networks = np.random.default_rng(0).normal(size=(400, 4)), np.tile(NORMAL, (400, 4, 1))
    made, counts = recipe(reference_quantiles=(tuple(NORMAL + 0.2),) * 4), np.zeros(400)
    counts[:40] = 1.0
    few = calibrated(made, windows(400), networks, actual, counts=counts).network_weight
    own = calibrated(made, windows(40), networks[:40], actual[:40]).network_weight
    np.testing.assert_allclose(few, own)
