"""Seasons that values show."""

import numpy as np

from recurra.series.seasons import find_periods


def wave(period, length, noise=0.3, seed=0):
    return np.sin(2 * np.pi * np.arange(length) / period) + noise * np.random.default_rng(seed).normal(size=length)


def test_a_season_without_a_calendar_is_found():
    assert find_periods([wave(25, 300)], ()) == (25,)


def test_usual_seasons_must_fit_in_twice():
    values = np.random.default_rng(0).normal(size=500)
    assert find_periods([values], (7, 365)) == (7,)
    assert find_periods([values[:10]], (7, 365)) == ()


def test_multiples_of_usual_seasons_are_no_further_ones():
    assert find_periods([wave(12, 400)], (12,)) == (12,)


def test_slow_noise_is_no_season():
    walk = np.cumsum(np.random.default_rng(1).normal(size=1000))
    for period in find_periods([walk], (7,)):
        assert period == 7


def test_constant_short_and_missing_series_have_none():
    assert find_periods([np.ones(100), np.full(50, np.nan), np.zeros(3)], ()) == ()
