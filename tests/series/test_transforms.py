"""Transforms are chosen by how the spread follows the level, and undone exactly."""

import numpy as np
import pytest

from recurra.series.transforms import LOGARITHM, NONE, ROOT, TRANSFORMS, inverted, transform_of

STEPS = np.arange(240)
SEASON = 1 + 0.3 * np.sin(2 * np.pi * STEPS / 12)
LEVEL = 30 * (1.05 + np.sin(2 * np.pi * STEPS / 120))  # a cycle of ten years
COUNTS = np.random.default_rng(0).poisson(LEVEL).astype(float)  # their spread is the root of their level


@pytest.mark.parametrize("scale", [1e300, 1.0, 1e-300])
@pytest.mark.parametrize(
    ("values", "transform"),
    [
        (np.exp(0.02 * STEPS) * SEASON, LOGARITHM),
        (np.exp(0.02 * STEPS) * SEASON - 1, NONE),  # below zero
        (100 + 0.1 * STEPS + SEASON, NONE),  # one spread at all levels
        (COUNTS, ROOT),
        (np.where(STEPS % 50 == 3, np.nan, COUNTS), ROOT),
        (COUNTS - COUNTS.max(), NONE),
        (COUNTS[:84], NONE),  # seven seasons say too little
        (np.ones(240), NONE),
        (np.zeros(240), NONE),
        (np.full(240, np.nan), NONE),
    ],
)
def test_the_transform_follows_from_level_and_spread(values, transform, scale):
    with np.errstate(all="raise", under="ignore"):
        largest = np.nanmax(np.abs(values), initial=1.0)
        assert transform_of(values / largest * scale, (12,)) is transform


def test_a_trend_of_counts_needs_no_season():
    assert transform_of(COUNTS, ()) is ROOT
    assert transform_of(COUNTS, (1,)) is NONE


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda each: each.name)
def test_forecasts_are_taken_back(transform):
    values = np.array([[0.5, 2.0, 1e12]])
    codes = np.array([TRANSFORMS.index(transform)])
    np.testing.assert_allclose(inverted(transform.forward(values), codes), values, rtol=1e-13)
    quantiles = inverted(np.linspace(-3, 3, 13)[None], codes)[0]
    assert (np.diff(quantiles) >= 0).all()


def test_series_are_taken_back_by_their_own_transforms():
    values = np.array([[2.0], [2.0], [2.0]])
    np.testing.assert_allclose(inverted(values, np.arange(3)), [[2.0], [4.0], [np.exp(2.0)]])


def test_which_values_a_transform_reads():
    assert [each.reads(np.array([0.0, np.nan])) for each in (NONE, ROOT, LOGARITHM)] == [True, True, False]
    assert [each.reads(np.array([-1.0])) for each in (NONE, ROOT, LOGARITHM)] == [True, False, False]
