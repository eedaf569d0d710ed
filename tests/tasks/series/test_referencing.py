"""What the references learn, and from which windows."""

from dataclasses import replace

import numpy as np

from recurra.series.frequency import Frequency
from recurra.series.panel import make_panel
from recurra.tasks.series.forecaster_data import ForecasterData
from recurra.tasks.series.referencing import fit_references, owned
from recurra.tasks.series.settings import SeriesSettings


def wave(length, seed=0):
    noise = np.random.default_rng(seed).normal(size=length)
    return 50 + 10 * np.sin(2 * np.pi * np.arange(length) / 12) + noise.cumsum()


def data_of(values, horizon=3):
    settings = SeriesSettings(horizon=horizon, members=3)
    return ForecasterData(make_panel([values], Frequency("MS")), settings, ((), ()), None, None)


def test_references_of_a_block_were_learned_from_the_others():
    data = data_of(wave(600))
    blocks = data.trained, data.left_out
    data.reader.recipe = _first(data)
    whole, parts = fit_references(data.reader, data.places, np.random.default_rng(0), *blocks)
    for part, clear, rows in zip(parts, data.trained, owned(len(data.places.which), *blocks), strict=True):
        assert part.linear_weights != whole.linear_weights
        assert part.reference_weights != whole.reference_weights
        data.reader.recipe = part
        some = data.places.take(rows)
        encoded = data.reader.encode(some)
        np.testing.assert_array_equal(encoded.base, data.windows.base[rows])
        np.testing.assert_array_equal(encoded.shift, data.windows.shift[rows])
        assert encoded.shift.any()
        assert not np.isin(rows, clear).any()


def _first(data):
    """The recipe before its references learned anything."""
    return replace(data.recipe, linear_weights=(), linear_memory=0, blend_weights=(), reference_weights=((1.0,),) * 3)


def test_few_windows_teach_all_blocks_the_same():
    data = data_of(wave(80), horizon=12)
    assert data.recipe.linear_weights == ()
    again = data.reader.encode(data.places)
    np.testing.assert_array_equal(again.base, data.windows.base)
