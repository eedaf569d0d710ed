"""Forecasts of left-out data that are made again are those that the training was judged by."""

import numpy as np
import pytest

from recurra.series.backtest import MODEL
from recurra.series.metrics import SERIES
from recurra.series.transforms import BY_NAME
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.left_out import forecasts_of_left_out
from recurra.tasks.series.opening import open_table, table_from
from recurra.tasks.series.runs import job_of, train_alone
from recurra.tasks.series.settings import SeriesSettings
from recurra.tasks.series.table_settings import TableSettings
from recurra.tasks.training.settings import TrainingSettings
from tests.tasks.series.tables import one_series

SHORT = TrainingSettings(minutes=0.002, patience=0)


@pytest.fixture(scope="module")
def opened():
    """A season with chance in it, as no forecast without error can be told from another one."""
    table = one_series()
    table["sales"] = (np.array(table["sales"]) + np.random.default_rng(0).normal(0, 4, 72)).round(2).tolist()
    return open_table(table_from(table), TableSettings(), lambda _: None)


def test_direct(opened):
    """Coverage and gain are those of the recipe, as all of the few windows are forecast again."""
    settings = SeriesSettings(6, hidden=8, training=SHORT)
    model, data = train_alone(opened, settings), job_of(opened, settings).data
    tested = forecasts_of_left_out(model, opened, settings)
    recipe, own = model.recipe, tested.measures()
    assert own.count == recipe.left_out
    np.testing.assert_allclose((own.coverage80, own.coverage90), recipe.coverage)
    rows = np.concatenate(data.left_out)
    actual = BY_NAME[recipe.transform].inverse(data.actual[rows])
    np.testing.assert_allclose(tested.actual[:, 0], actual, rtol=1e-12)
    np.testing.assert_array_equal(tested.origins[:, 0], data.places.origins[rows])
    unit = np.abs(tested.actual[:, 0]).mean(1)
    unit = np.maximum(unit, unit.mean())  # a quiet window counts as a usual one
    errors = {name: tested.measures(name, SERIES).mae / unit for name in (MODEL, recipe.naive)}
    gain = 1 - errors[MODEL].mean() / errors[recipe.naive].mean()
    assert gain == pytest.approx(max(recipe.gain, 0), abs=1e-6)
    same = forecasts_of_left_out(model, opened, settings, data)
    np.testing.assert_array_equal(same.quantiles[MODEL], tested.quantiles[MODEL])


def test_some_of_many(opened, monkeypatch):
    monkeypatch.setattr("recurra.tasks.series.left_out.MOST_VALUES", 6 * 3 * 2)
    settings = SeriesSettings(6, hidden=8, members=3, training=SHORT)
    tested = forecasts_of_left_out(train_alone(opened, settings), opened, settings)
    assert tested.actual.shape == (6, 1, 6)


def test_autoregressive(opened):
    settings = AutoregressiveSettings(6, hidden=8, training=SHORT)
    model = train_alone(opened, settings)
    tested = forecasts_of_left_out(model, opened, settings)
    np.testing.assert_array_equal(tested.actual[0, 0], opened.panel.target[0][-6:])
    assert tested.measures().coverage80 == pytest.approx(model.recipe.coverage[0], abs=0.2)  # other paths are drawn


def test_nothing_left_out():
    opened = open_table(table_from(one_series(16)), TableSettings(), lambda _: None)
    settings = AutoregressiveSettings(6, hidden=8, training=SHORT)
    assert forecasts_of_left_out(train_alone(opened, settings), opened, settings) is None
