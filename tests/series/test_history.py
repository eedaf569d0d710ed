"""Histories: values of many series, gathered."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.series.history import History

SERIES = st.lists(st.lists(st.sampled_from([1.0, 2.0, np.nan]), max_size=6), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(SERIES, st.integers(0, 8))
def test_the_last_value_before_a_step(series, step):
    history = History.of([np.array(values) for values in series])
    found = history.last_before(np.arange(len(series)), np.full(len(series), step))
    for values, last in zip(series, found, strict=True):
        seen = [value for value in values[:step] if value == value]
        assert last == seen[-1] if seen else np.isnan(last)
