"""The windows that members leave out, and how much they count."""

import numpy as np

from recurra.series.frequency import Frequency
from recurra.series.panel import make_panel
from recurra.tasks.series.forecaster_data import ForecasterData
from recurra.tasks.series.settings import SeriesSettings


def data_of(*lengths, members=4):
    draw = np.random.default_rng(0)
    values = [draw.normal(50, 5, length) for length in lengths]
    panel = make_panel(values, Frequency("MS"), ids=[str(place) for place in range(len(lengths))])
    return ForecasterData(panel, SeriesSettings(3, members=members), ((), ()), None, None)


def test_a_block_counts_half_as_much_as_the_next():
    data = data_of(200)
    counts = [np.unique(data.recency[rows]) for rows in data.left_out]
    np.testing.assert_allclose(np.concatenate(counts), np.array([1, 2, 4, 8]) / 3.75)
    begins = [data.places.origins[rows].min() for rows in data.left_out]
    assert begins == sorted(begins)


def test_series_that_are_left_out_as_a_whole_count_alike():
    data = data_of(*[30] * 12)
    assert (data.recency == 1).all()
    assert all(len(rows) for rows in data.left_out)
