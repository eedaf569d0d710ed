"""Combinations of forecasts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.series.stacking import combine, fit_weights, horizon_groups


def test_the_right_rule_gets_the_weight():
    generator = np.random.default_rng(0)
    actual = generator.normal(size=(200, 6))
    forecasts = np.stack([actual + 0.01 * generator.normal(size=actual.shape), generator.normal(size=actual.shape)])
    weights = fit_weights(forecasts, actual, np.ones(200))
    assert weights.shape == (3, 2)
    assert (weights[:, 0] > 0.99).all()


def test_errors_that_cancel_share_the_weight():
    actual = np.random.default_rng(0).normal(size=(100, 3))
    weights = fit_weights(np.stack([actual + 1, actual - 1]), actual, np.ones(100))
    np.testing.assert_allclose(weights, 0.5, atol=1e-6)
    np.testing.assert_allclose(combine(np.stack([actual + 1, actual - 1]), weights), actual, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 100), st.booleans())
def test_weights_are_a_convex_combination(rules, horizon, seed, missing):
    generator = np.random.default_rng(seed)
    forecasts, actual = generator.normal(size=(rules, 20, horizon)), generator.normal(size=(20, horizon))
    if missing:
        actual[::3] = np.nan
    weights = fit_weights(forecasts, actual, generator.integers(0, 2, 20).astype(float))
    assert weights.shape == (len(horizon_groups(horizon)), rules)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_nothing_observed_weighs_all_alike():
    weights = fit_weights(np.ones((4, 2, 3)), np.full((2, 3), np.nan), np.ones(2))
    np.testing.assert_allclose(weights, 0.25)
