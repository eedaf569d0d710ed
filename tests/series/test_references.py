"""Reference forecasts, by hand and in what they know."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.series.history import History
from recurra.series.references import NAIVE, Windows, is_naive, neighbours, references


def forecasts(values, origin, horizon, periods):
    """The references of one series at one origin."""
    history = History.of([np.asarray(values, float)])
    windows = Windows(history, np.zeros(1, np.int64), np.array([origin]))
    return {name: each[0] for name, each in references(windows, horizon, periods).items()}


def test_the_rules_on_a_growing_season():
    values = [1.0, 2.0, 3.0, 11.0, 12.0, 13.0, 21.0, 22.0, 24.0]
    found = forecasts(values, 9, 4, (3,))
    growth = ((21 + 22 + 24) - (11 + 12 + 13)) / 3
    drift = ((21 + 22 + 24) - (1 + 2 + 3)) / 3 / 2
    assert found["last value"].tolist() == [24.0] * 4
    assert found["seasonal naive"].tolist() == [21.0, 22.0, 24.0, 21.0]
    np.testing.assert_allclose(
        found["seasonal naive with growth"], [21 + growth, 22 + growth, 24 + growth, 21 + 2 * growth]
    )
    np.testing.assert_allclose(found["seasonal naive with drift"], [21 + drift, 22 + drift, 24 + drift, 21 + 2 * drift])
    np.testing.assert_allclose(found["seasonal naive with recent growth"], [32.0, 33.0, 35.0, 43.0])
    np.testing.assert_allclose(found["seasonal naive moved to the last value"], [32.0, 33.0, 35.0, 32.0])
    np.testing.assert_allclose(found["seasonal mean"], [11.0, 12.0, 40 / 3, 11.0])


def test_missing_values_and_a_short_history_fall_back_on_the_last_value():
    found = forecasts([5.0, np.nan, 7.0, np.nan], 4, 3, (12,))
    for name, values in found.items():
        assert values.tolist() == [7.0] * 3, name
    assert forecasts([np.nan, np.nan], 2, 2, (2,))["last value"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("day", "week"), [(24, 168), (30, 210)])
def test_the_mean_of_a_week_keeps_the_shape_of_its_days(day, week):
    """Neighbours within the reach of a week's 24th part are hours of another time of day."""
    steps = np.arange(6 * week)
    values = 10 * np.sin(2 * np.pi * steps / day) + 5.0 * (steps % week < 2 * day)
    found = forecasts(values[: 5 * week], 5 * week, week, (day, week))
    far = (np.arange(week) % day > 2) & (np.arange(week) % day < day - 2)  # from the weekend's beginning and end
    np.testing.assert_allclose(found[f"seasonal mean {week}"][far], values[5 * week :][far], atol=0.25)  # of 15
    np.testing.assert_array_equal(neighbours(40 * day, day), [-day - 1, -day, 1 - day, -1, 0, 1, day - 1, day, day + 1])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.lists(st.integers(1, 25), max_size=2, unique=True))
def test_nothing_after_the_origin_is_known(origin, horizon, periods):
    values = np.random.default_rng(origin).normal(size=80)
    other = values.copy()
    other[origin:] = 1e6
    periods = tuple(sorted(periods))
    one, two = forecasts(values, origin, horizon, periods), forecasts(other, origin, horizon, periods)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
        assert np.isfinite(one[name]).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in NAIVE),
        ("seasonal naive 168", True),
        ("seasonal naive with drift", False),
        ("seasonal mean", False),
    ],
)
def test_naive_ones_are_known_by_name(name, expected):
    assert is_naive(name) is expected
