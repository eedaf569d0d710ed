"""Naive forecasts: their points by hand, their intervals on noise, gaps, and short series."""

import math

import numpy as np
import pytest

from recurra.errors import RunError
from recurra.series.forecast import LEVELS
from recurra.series.history import History
from recurra.series.naive import naive_forecasts
from recurra.series.references import NAIVE, Windows, references
from tests.series.grids import panel_of

NAN = math.nan


RANDOM = np.random.default_rng(4)
GAPPY = RANDOM.normal(5, 3, (6, 70))
GAPPY[RANDOM.random((6, 70)) < 0.3] = NAN
GAPPY[:, 20] = 1.0


@pytest.mark.parametrize("period", [1, 3, 12, 50])
@pytest.mark.parametrize("length", [21, 40, 70])
def test_the_medians_are_the_rules_forecasts(period, length):
    panel = panel_of(*GAPPY[:, :length])
    found = naive_forecasts(panel, 8, period)
    ends = Windows(History.of(panel.target), np.arange(6), panel.lengths)
    rules = references(ends, 8, (period,))
    assert tuple(found) == NAIVE
    least = np.where([(values < 0).any() for values in panel.target], -math.inf, 0.0)
    for name, forecast in found.items():
        np.testing.assert_allclose(forecast.median, np.maximum(rules[name], least[:, None]), err_msg=name)


def medians(values, horizon, period):
    return [each.median[0].tolist() for each in naive_forecasts(panel_of(values), horizon, period).values()]


def test_points():
    last, seasonal, growth = medians([1, 2, 3, 2, 4, 6], 4, 3)
    assert last == [6, 6, 6, 6]
    assert seasonal == [2, 4, 6, 2]
    assert growth == [4, 6, 8, 6]


def test_a_value_long_ago():
    last, _, _ = medians([7, *[NAN] * 5000], 2, 12)
    assert last == [7, 7]


def test_forecasts_follow_the_series():
    panel = panel_of([1, 2, 3], [4.0, 5, 6, 7])
    forecast = naive_forecasts(panel, 2, 1)["last value"]
    assert forecast.positions.tolist() == [3, 4]
    assert forecast.ids == panel.ids
    assert forecast.levels == LEVELS


def test_intervals_cover_a_random_walk():
    walk = np.random.default_rng(1).normal(size=(400, 220)).cumsum(1)
    quantiles = naive_forecasts(panel_of(*walk[:, :210]), 10, 1)["last value"].quantiles
    inside = (quantiles[:, :, 1] <= walk[:, 210:]) & (walk[:, 210:] <= quantiles[:, :, 9])
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    widths = (quantiles[:, :, 9] - quantiles[:, :, 1]).mean(0)
    assert widths[8] / widths[0] == pytest.approx(3, rel=0.1)


def test_few_errors_are_made_wider():
    quantiles = naive_forecasts(panel_of([0, 1, 0, 1, 0, 1, 0, 1, 0, -1]), 20, 1)["last value"].quantiles[0]
    assert np.isfinite(quantiles).all()
    widths = quantiles[:, 9] - quantiles[:, 1]
    assert widths[18] == pytest.approx(widths[1] * math.sqrt(19 / 2))


def test_counts_stay_above_zero():
    quantiles = naive_forecasts(panel_of([0, 9, 0, 3, 5, 0, 1]), 3, 2)["seasonal naive"].quantiles
    assert quantiles.min() == 0


def test_a_panel_is_computed_in_pieces(monkeypatch):
    panel = panel_of(*np.random.default_rng(2).normal(size=(7, 40)))
    whole = naive_forecasts(panel, 3, 4)
    monkeypatch.setattr("recurra.series.naive.MOST_NUMBERS", 1)
    for name, each in naive_forecasts(panel, 3, 4).items():
        np.testing.assert_array_equal(each.quantiles, whole[name].quantiles)


def test_nothing_observed():
    with pytest.raises(RunError, match="series 's1' has no observed value"):
        naive_forecasts(panel_of([1], [NAN, NAN]), 2, 1)
