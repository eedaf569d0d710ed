"""The window at the end of a series that goes on: the same as the window of the whole series."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.series.latest_window import LatestValues, LatestWindow
from recurra.series.linear import lags_of
from recurra.series.references import LONG_PERIOD
from recurra.series.transforms import LOGARITHM, NONE
from recurra.series.windows import SeriesReader, steps_back
from tests.runtime.forecasters import panel_of, recipe

FREQUENCIES = st.sampled_from(["step", "MS", "h", "D", "15min"])
PERIODS = st.lists(st.integers(1, 24), max_size=2, unique=True).map(sorted).map(tuple)
INPUTS = st.fixed_dictionaries(
    {
        "known": st.sampled_from([(), ("promo",)]),
        "past": st.sampled_from([(), ("rain", "sun")]),
        "categories": st.sampled_from([(), (2,), (3, 1)]),
        "transform": st.sampled_from(["none", "root", "logarithm"]),
        "least": st.sampled_from([None, 0.0]),
        "linear_memory": st.sampled_from([0, 7, 40]),
    }
)


def cut(panel, begin, end, horizon):
    """A panel of one series from a step on, as it was known after so many steps."""
    return dataclasses.replace(
        panel,
        starts=panel.starts + begin,
        target=(panel.target[0][begin:end],),
        known=(panel.known[0][begin : end + horizon],),
        past=(panel.past[0][begin:end],),
    )


@settings(max_examples=40, deadline=None)
@given(FREQUENCIES, PERIODS, INPUTS, st.integers(1, 30), st.integers(1, 6), st.integers(1, 80), st.data())
def test_it_is_the_window_of_what_it_remembers(frequency, periods, inputs, context, most, begin, data):
    if lags := len(lags_of(context, periods)) + (inputs["linear_memory"] > 0):
        rules = 2 + sum(7 if period >= LONG_PERIOD else 6 for period in periods)
        blend = ((0.3 / rules,) * (rules - 1) + (0.7,),) * min(3, most)
        inputs |= {"linear_weights": (0.5 / lags,) * lags, "blend_weights": blend}
    made = recipe(frequency, horizon=most, context=context, periods=periods, **inputs)
    horizon = data.draw(st.integers(1, most))
    panel = panel_of(made, begin + 12, level=30.0, seed=data.draw(st.integers(0, 99)))
    for gap in data.draw(st.lists(st.integers(1, begin + 11), max_size=4)):
        panel.target[0][gap] = np.nan
    window = LatestWindow(cut(panel, 0, begin, horizon), made, horizon)
    generator = np.random.default_rng(begin)
    for step in range(begin, begin + 8):
        window.append(panel.target[0][step], panel.known[0][step + horizon], panel.past[0][step])
        window.encode()
        reader = SeriesReader(cut(panel, max(0, step + 1 - steps_back(made)), step + 1, most), made)
        whole = reader.encode(reader.ends())
        np.testing.assert_allclose(window.past, whole.past, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(window.future, whole.future[:horizon], rtol=1e-6, atol=1e-6)
        quantiles = generator.normal(size=(1, most, len(made.levels)))
        np.testing.assert_allclose(
            window.decode(quantiles[0, :horizon]), whole.decode(quantiles, made)[0, :horizon], rtol=1e-9, atol=1e-12
        )


def test_a_value_that_is_not_positive_ends_the_logarithms():
    made = recipe("MS", periods=(4,), transform="logarithm")
    values = np.arange(1.0, 30.0)
    window = LatestWindow(panel_of(made, 20, level=90.0), made, 1)
    assert window.transform is LOGARITHM
    window.append(np.nan, values[:0], values[:0])
    assert window.transform is LOGARITHM
    window.append(0.0, values[:0], values[:0])
    assert window.transform is NONE
    window.append(5.0, values[:0], values[:0])
    window.encode()
    assert np.isfinite(window.past).all()


@pytest.mark.parametrize("length", [0, 3, 5, 9])
def test_the_latest_values(length):
    given_values = np.arange(float(length))
    given_values[2:3] = np.nan
    latest, everything = LatestValues(given_values, 5), [np.nan] * 5 + given_values.tolist()
    for step in range(200):
        value = np.nan if step % 7 == 0 else float(step)
        latest.append(value)
        everything.append(value)
        np.testing.assert_array_equal(latest.latest, everything[-5:])
        assert latest.missing == np.isnan(everything[-5:]).sum()
        assert latest.kept == min(5, length + step + 1)
        seen = [value for value in everything[-5:] if value == value]
        assert latest.last_seen() == (seen[-1] if seen else 0.0)
