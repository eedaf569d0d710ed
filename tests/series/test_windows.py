"""Windows of series as inputs, and outputs as forecasts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.panel import make_panel
from recurra.series.scaling import window_scales
from recurra.series.transforms import LOGARITHM, TRANSFORMS
from recurra.series.windows import SeriesReader, ordered
from tests.series.recipes import MEDIAN, recipe


def test_an_output_of_zero_steps_is_the_reference():
    values = np.arange(36.0) % 12
    reader = SeriesReader(make_panel([values], Frequency("MS")), recipe(network_weight=1.0))
    encoded = reader.encode(reader.ends())
    forecast = encoded.decode(np.zeros((1, 4, len(LEVELS))), reader.recipe)
    np.testing.assert_allclose(forecast[0], np.repeat([[0.0], [1.0], [2.0], [3.0]], len(LEVELS), axis=1))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 9), st.sampled_from([1e-12, 1.0, 1e12]))
def test_the_inputs_know_nothing_after_the_origin_and_no_unit(seed, horizon, unit):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=50) + 5
    reader = SeriesReader(make_panel([values], Frequency("MS")), recipe(horizon))
    origins = np.array([30])
    one = reader.encode(reader.windows(np.zeros(1, np.int64), origins))
    other = np.concatenate([values[:30], generator.normal(size=20) * 100])
    reader = SeriesReader(make_panel([other * unit], Frequency("MS")), recipe(horizon))
    two = reader.encode(reader.windows(np.zeros(1, np.int64), origins))
    np.testing.assert_allclose(one.past, two.past, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.future, two.future, rtol=1e-4, atol=1e-5)
    assert one.past.shape[:2] == (12, 1)
    assert one.future.shape[:2] == (horizon, 1)


def test_missing_values_are_marked_and_numbers_stay_finite():
    values = np.sin(np.arange(40.0))
    values[[3, 20, 35, 39]] = np.nan
    reader = SeriesReader(make_panel([values, np.full(5, np.nan)], Frequency("MS")), recipe())
    encoded = reader.encode(reader.ends())
    assert np.isfinite(encoded.past).all()
    assert np.isfinite(encoded.future).all()
    assert encoded.past[:, 0, 1].sum() == 2  # steps 35 and 39 lie in the context
    assert (encoded.past[:, 1, 1] == 1).all()


@pytest.mark.parametrize("value", [0.0, 3.0, -1e12, 1e-12])
def test_a_constant_series_is_forecast_as_it_is(value):
    reader = SeriesReader(make_panel([np.full(30, value)], Frequency("MS")), recipe(network_weight=1.0))
    encoded = reader.encode(reader.ends())
    networks = np.random.default_rng(0).normal(size=(1, 4, len(LEVELS))) * 5
    assert (encoded.decode(networks, reader.recipe) == value).all()


def test_a_series_of_logarithms():
    steps = np.arange(96)
    season = 1 + 0.3 * np.sin(2 * np.pi * steps / 12)
    values = np.exp(0.02 * steps) * season
    reader = SeriesReader(make_panel([values], Frequency("MS")), recipe(transform=None, network_weight=1.0))
    encoded = reader.encode(reader.ends())
    assert encoded.transforms.tolist() == [TRANSFORMS.index(LOGARITHM)]
    np.testing.assert_allclose(
        encoded.decode(np.zeros((1, 4, len(LEVELS))), reader.recipe)[0, :, MEDIAN], values[84:88], rtol=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.booleans())
def test_quantiles_never_cross_nor_fall_below_the_least_value(seed, weight, counts):
    generator = np.random.default_rng(seed)
    reader = SeriesReader(
        make_panel([generator.poisson(2, 40).astype(float)], Frequency("MS")),
        recipe(
            network_weight=weight,
            widths=tuple(generator.uniform(0.5, 2.5, len(LEVELS))),
            least=0.0 if counts else None,
            reference_quantiles=tuple(map(tuple, np.sort(generator.normal(size=(4, len(LEVELS))), axis=1).tolist())),
        ),
    )
    networks = ordered(generator.normal(size=(1, 4, len(LEVELS))) * 3, MEDIAN)
    assert (np.diff(networks, axis=-1) > 0).all()
    forecast = reader.encode(reader.ends()).decode(networks, reader.recipe)
    assert (np.diff(forecast, axis=-1) >= 0).all()
    assert not counts or (forecast >= 0).all()


def test_scales_are_exact_at_any_size():
    context = np.random.default_rng(0).normal(size=(3, 20))
    for unit in (1e-300, 1e300):
        offset, scale = window_scales(context * unit, np.zeros(3))
        np.testing.assert_allclose(offset / unit, context.mean(axis=1))
        np.testing.assert_allclose(scale / unit, np.abs(context - context.mean(axis=1)[:, None]).mean(axis=1))


def test_a_series_that_was_below_the_least_value_may_be_so_again():
    values = [np.arange(36.0) % 12, np.arange(36.0) % 12 - 6]
    reader = SeriesReader(make_panel(values, Frequency("MS"), ids=["a", "b"]), recipe(least=0.0))
    encoded = reader.encode(reader.ends())
    forecast = encoded.decode(np.full((2, 4, len(LEVELS)), -1.0), reader.recipe)
    assert forecast[0].min() == 0
    assert forecast[1].min() < -6


def test_many_windows_are_encoded_as_each_alone():
    values = np.random.default_rng(0).normal(size=1_100)
    reader = SeriesReader(make_panel([values], Frequency("MS")), recipe())
    origins = np.arange(20, 1_090)
    whole = reader.encode(reader.windows(np.zeros(len(origins), np.int64), origins))
    for place in (0, 999, 1_000, 1_069):
        one = reader.encode(reader.windows(np.zeros(1, np.int64), origins[[place]]))
        part = whole.take(np.array([place]))
        for name in ("past", "future", "base", "scale", "transforms", "least"):
            assert np.array_equal(getattr(part, name), getattr(one, name))
