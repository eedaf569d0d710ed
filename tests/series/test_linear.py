"""The linear autoregression: its map, its fit, and its values in a stream."""

import dataclasses

import numpy as np
import pytest

from recurra.errors import FileFormatError
from recurra.series.history import History
from recurra.series.linear import LinearMap, lags_of, linear_map
from recurra.series.linear_fitting import fit_linear
from recurra.series.references import Windows
from tests.runtime.forecasters import recipe


def autoregression(length=600, seed=0, level=0.0):
    """A series in which each value is level + 0.5 (the last one - level) + 0.3 (the one before - level) + noise."""
    noise = np.random.default_rng(seed).normal(size=length)
    values = np.zeros(length)
    for step in range(2, length):
        values[step] = 0.5 * values[step - 1] + 0.3 * values[step - 2] + noise[step]
    return values + level


def windows_of(*series, origins):
    which = np.repeat(np.arange(len(series)), len(origins))
    return Windows(History.of(list(series)), which, np.tile(np.array(origins), len(series)))


def halves(windows, horizon, cut):
    """The windows clear of each half of the time, and those in it."""
    origins = windows.origins
    clear = [np.flatnonzero(origins >= cut), np.flatnonzero(origins + horizon <= cut)]
    return clear, [clear[1], clear[0]]


def fitted(series, horizon=4, context=3, memory=0, first=20):
    windows = windows_of(series, origins=range(first, len(series) - horizon))
    actual = windows.before(np.arange(horizon))
    blocks = halves(windows, horizon, len(series) // 2)
    made = recipe(horizon=horizon, context=context)
    return fit_linear(windows, actual, np.ones(len(actual)), made, memory, *blocks)


def test_lags_go_through_the_context_and_around_longer_seasons():
    assert lags_of(3, (2, 12)).tolist() == [2, 3, 11, 12, 13]
    assert lags_of(12, (12, 5000)).tolist() == [*range(2, 14)]
    assert lags_of(1, ()).tolist() == []


def test_a_map_is_the_recursion_of_one_step():
    series = autoregression(40)
    weights, memory = np.array([0.3, -0.2, 0.1]), 9
    made = linear_map(weights, np.array([2, 4]), 6, memory)
    values, mean = series.tolist(), series[-memory:].mean()
    for _ in range(6):
        last = values[-1]
        values.append(last + 0.3 * (values[-2] - last) - 0.2 * (values[-4] - last) + 0.1 * (mean - last))
    np.testing.assert_allclose(made(windows_of(series, origins=[40]))[0], values[40:], rtol=1e-12)


def test_it_moves_and_grows_with_the_series_and_needs_no_company():
    series = autoregression(60)
    made = linear_map(np.array([0.4, 0.2]), np.array([2]), 5, 20)
    alone = made(windows_of(series, origins=[50]))
    np.testing.assert_allclose(made(windows_of(1e6 * series + 3e6, origins=[50])), 1e6 * alone + 3e6, rtol=1e-9)
    together = made(windows_of(series, origins=range(30, 60)))
    assert (together[20] == alone[0]).all()


@pytest.mark.parametrize("gaps", [[], [59], [59, 55], [*range(50, 60)]])
def test_the_latest_values_give_the_same(gaps):
    series = autoregression(60)
    made = linear_map(np.array([0.4, 0.1, 0.2]), np.array([2, 5]), 5, 8)
    last = series[min(gaps, default=60) - 1] if 59 in gaps else series[-1]
    if gaps == [59, 55]:
        last = series[58]
    series[gaps] = np.nan
    expected = made(windows_of(series, origins=[60]))[0]
    found = made.latest(series[-30:], last, bool(gaps), 3)
    np.testing.assert_allclose(found, expected[:3], rtol=1e-12, atol=1e-12)


def test_the_weights_of_an_autoregression_are_found():
    found = fitted(autoregression(4000, level=7.0), memory=500, first=500)
    assert found is not None
    assert found.memory == 500
    series = autoregression(4100, seed=1, level=7.0)
    lags = lags_of(3, ())
    made = linear_map(np.array(found.weights), lags, 1, found.memory)(windows_of(series, origins=range(600, 4100)))
    best = 7 + 0.5 * (series[599:4099] - 7) + 0.3 * (series[598:4098] - 7)
    assert np.abs(made[:, 0] - best).mean() < 0.06


def test_what_a_block_was_forecast_with_does_not_know_it():
    series = autoregression(400)
    other = series.copy()
    other[300:] = autoregression(400, seed=5)[300:]
    one, two = fitted(series), fitted(other)  # the ridge, which all blocks choose, is the same
    assert one is not None
    assert two is not None
    assert one.without[1] == two.without[1]
    assert one.without[0] != two.without[0]
    assert one.weights != two.weights


def test_few_windows_are_not_enough():
    assert fitted(autoregression(40)) is None
    assert fitted(np.full(400, 3.0)) is not None
    assert fitted(np.full(400, np.nan)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"linear_weights": (0.1,), "blend_weights": ((0.5,) * 2,) * 3},
        {"blend_weights": ((0.5,) * 2,) * 3},
        {"linear_memory": -1},
    ],
)
def test_weights_that_do_not_fit_are_refused(changes):
    with pytest.raises(FileFormatError, match=r"(linear|blend)_(weights|memory) must be"):
        dataclasses.replace(recipe(context=4), **changes)


def test_weights_of_too_large_a_map_are_refused():
    with pytest.raises(FileFormatError, match="so long a horizon"):
        recipe(horizon=9000, context=900, linear_weights=(0.0,) * 899, blend_weights=((0.5,) * 2,) * 3)


def test_a_recipe_without_weights_has_no_map():
    assert LinearMap.of(recipe()) is None
    weights = (0.1,) * len(lags_of(12, (12,)))
    made = LinearMap.of(recipe(context=12, periods=(12,), linear_weights=weights, blend_weights=((0.125,) * 8,) * 3))
    assert made is not None
    assert made.weights.shape == (3, 13)
