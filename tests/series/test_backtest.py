"""Backtests: their origins, what each origin knew, gaps, short series, refits, and forecasts that do not fit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from recurra.errors import RunError
from recurra.series.backtest import backtest
from recurra.series.forecast import LEVELS, Forecast
from recurra.series.metrics import ORIGIN, SERIES, STEP
from recurra.series.naive import naive_forecasts
from recurra.series.references import NAIVE
from tests.series.grids import panel_of

RANDOM = np.random.default_rng(5)
WALKS = RANDOM.normal(size=(3, 60)).cumsum(1)


def means(panel):
    """Forecast three steps of the mean of a series, with quantiles of the spread of a normal distribution."""
    points = np.array([np.nanmean(values) for values in panel.target])
    quantiles = points[:, None, None] + np.linspace(-1, 1, len(LEVELS)) + np.zeros((1, 3, 1))
    return Forecast(panel.ids, panel.starts + panel.lengths, LEVELS, quantiles)


def test_every_origin_is_forecast_as_if_alone():
    panel = replace(panel_of(WALKS[0], WALKS[1][:50]), starts=np.array([5, 7]))
    found = backtest(means, panel, 3, origins=4, step=2)
    assert found.origins.tolist() == [[51, 53, 55, 57], [41, 43, 45, 47]]
    assert found.positions.tolist() == [[56, 58, 60, 62], [48, 50, 52, 54]]
    assert list(found.quantiles) == ["model", *NAIVE]
    for row, place in np.ndindex(2, 4):
        origin = found.origins[row, place]
        alone = panel_of(WALKS[row][:origin])
        np.testing.assert_array_equal(found.actual[row, place], WALKS[row][origin : origin + 3])
        np.testing.assert_allclose(found.quantiles["model"][row, place], means(alone).quantiles[0])
        for name, forecast in naive_forecasts(alone, 3, 1).items():
            np.testing.assert_array_equal(found.quantiles[name][row, place], forecast.quantiles[0])


def test_values_after_an_origin_change_nothing():
    panel = panel_of(*WALKS)
    before = backtest(means, panel, 3, origins=4)
    origin = int(before.origins[0, 1])
    for values in panel.target:
        values[origin:] = RANDOM.normal(100, 50, 60 - origin)
    after = backtest(means, panel, 3, origins=4)
    for name in before.quantiles:
        np.testing.assert_array_equal(before.quantiles[name][:, :2], after.quantiles[name][:, :2])
        assert (before.quantiles[name][:, 2:] != after.quantiles[name][:, 2:]).any()
    np.testing.assert_array_equal(before.scales, after.scales)


@pytest.mark.parametrize(
    ("length", "horizon", "origins", "expected"),
    [(600, 12, None, 12), (144, 24, None, 2), (60, 20, 2, 10), (24, 12, None, 1), (40, 10, 1, 10)],
)
def test_the_default_step(length, horizon, origins, expected):
    found = backtest(None, panel_of(np.arange(float(length))), horizon, origins, refit=lambda _: trend)
    assert found.step == expected
    assert found.origins[0, -1] == length - horizon
    assert (found.origins >= max(horizon, length // 2)).all()


def trend(panel):
    quantiles = np.array([values[-1] + np.arange(1, 31) for values in panel.target])[:, :, None]
    return Forecast(panel.ids, panel.starts + panel.lengths, LEVELS, np.repeat(quantiles, len(LEVELS), 2))


def test_measures():
    found = backtest(trend, panel_of(np.arange(100.0), np.arange(100.0) * 2), 5, 4)
    assert float(found.measures().mae) == pytest.approx(3 / 2)
    assert found.measures(by=SERIES).mae.tolist() == pytest.approx([0, 3])
    assert found.measures(by=SERIES).mase.tolist() == pytest.approx([0, 1.5])
    assert found.measures(by=STEP).mae.tolist() == pytest.approx([0.5, 1, 1.5, 2, 2.5])
    assert found.measures("last value", STEP).mase.tolist() == pytest.approx([1, 2, 3, 4, 5])
    assert found.measures(by=ORIGIN).count.tolist() == [10] * 4
    assert found.best_naive() == "seasonal naive with growth"


def test_short_series_and_gaps_are_left_out():
    late = np.concatenate([np.full(46, math.nan), np.arange(14.0)])
    gap = np.where(np.arange(60) == 58, math.nan, WALKS[0])
    found = backtest(means, panel_of(gap, WALKS[1][:7], WALKS[2][:5], late), 3, origins=5, step=3)
    assert found.origins.tolist() == [[45, 48, 51, 54, 57], [0, 0, 0, 0, 4], [0] * 5, [0, 48, 51, 54, 57]]
    assert np.isnan(found.actual).sum((1, 2)).tolist() == [1, 12, 15, 3]
    assert found.measures(by=SERIES).count.tolist() == [14, 3, 0, 12]
    assert np.isnan(found.measures(by=SERIES).mase).tolist() == [False, False, True, False]


def test_origins_that_no_series_has_are_left_out():
    assert backtest(means, panel_of(WALKS[0][:9]), 3, origins=20, step=1).origins.tolist() == [[3, 4, 5, 6]]


def test_a_refit_knows_its_origin_alone():
    seen = []

    def refit(panel):
        seen.append([panel.ids, panel.lengths.tolist()])
        level = max(values.max() for values in panel.target)
        return lambda cut: replace(means(cut), quantiles=means(cut).quantiles * 0 + level)

    panel = panel_of(np.arange(60.0), np.arange(9.0))
    found = backtest(None, panel, 3, origins=3, step=2, refit=refit, naive=False)
    assert seen == [[("s0",), [53]], [("s0", "s1"), [55, 4]], [("s0", "s1"), [57, 6]]]
    assert found.quantiles["model"][0, :, 0, 0].tolist() == [52, 54, 56]
    assert list(found.quantiles) == ["model"]
    assert found.is_refitted
    assert found.best_naive() is None


def test_cuts_come_in_parts(monkeypatch):
    sizes = []

    def count(panel):
        sizes.append(len(panel))
        return means(panel)

    whole = backtest(means, panel_of(*WALKS), 3, origins=4)
    monkeypatch.setattr("recurra.series.backtest.CUTS", 5)
    parts = backtest(count, panel_of(*WALKS), 3, origins=4)
    assert sizes == [5, 5, 2]
    for name in whole.quantiles:
        np.testing.assert_array_equal(whole.quantiles[name], parts.quantiles[name])


def test_many_series_have_fewer_origins(monkeypatch):
    monkeypatch.setattr("recurra.series.backtest.MOST_NUMBERS", 3 * 3 * 11 * 7 + 1)
    assert backtest(means, panel_of(*WALKS), 3).origins.shape == (3, 7)


def test_known_inputs_go_on_behind_the_origin():
    panel = replace(panel_of(WALKS[0]), known=(np.arange(60.0)[:, None],), past=(np.arange(60.0)[:, None],))

    def look(cut):
        assert all(len(values) == 60 for values in cut.known)
        assert [len(values) for values in cut.past] == cut.lengths.tolist()
        return means(cut)

    backtest(look, panel, 3, origins=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ("x",)}, "other series or positions"),
        ({"positions": np.array([3])}, "other series or positions"),
        ({"levels": LEVELS[1:]}, r"needs forecasts of 3 steps of the levels 0.05, .*; got 3 steps"),
        ({"quantiles": np.zeros((1, 2, 11))}, "got 2 steps"),
        ({"quantiles": np.full((1, 3, 11), math.inf)}, "the forecast of series 's0' is not finite"),
    ],
    ids=str,
)
def test_a_forecast_must_fit(change, message):
    with pytest.raises(RunError, match=message):
        backtest(lambda panel: replace(means(panel), **change), panel_of(WALKS[0]), 3, origins=1)


def test_series_may_be_too_short():
    with pytest.raises(RunError, match=r"needs a series of 12 steps, .* the longest, 's1', has 11: .*smaller horizon"):
        backtest(means, panel_of([1, 2], range(11)), 6)


@pytest.mark.parametrize("name", ["horizon", "origins", "step", "period"])
def test_numbers_begin_with_one(name):
    with pytest.raises(RunError, match=f"{name} must be a whole number from 1; got 0"):
        backtest(means, panel_of(WALKS[0]), **{"horizon": 3, name: 0})


def test_one_forecaster_is_given():
    with pytest.raises(RunError, match="either a forecaster, or refit"):
        backtest(None, panel_of(WALKS[0]), 3)
