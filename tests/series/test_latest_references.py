"""References of a series that goes on: the same as those of windows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.series.history import History
from recurra.series.latest_references import LatestReferences
from recurra.series.latest_window import LatestValues
from recurra.series.references import Windows, references, steps_back

PERIODS = st.lists(st.integers(1, 26), max_size=3, unique=True).map(sorted).map(tuple)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 30), PERIODS, st.sampled_from([0.0, 0.02, 0.7]))
def test_they_are_those_of_a_window(seed, length, horizon, periods, missing):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=length) * 10
    values[generator.random(length) < missing] = np.nan
    values[-steps_back(periods) :][:1] = 1.0  # a stream has seen some value
    windows = Windows(History.of([values]), np.zeros(1, np.int64), np.array([length]))
    expected = np.concatenate(list(references(windows, horizon, periods).values()))
    latest = LatestValues(values, steps_back(periods))
    found = LatestReferences(horizon, periods, steps_back(periods))(
        latest.latest, latest.last_seen(), latest.missing > 0
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
