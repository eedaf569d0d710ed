"""Recipes of autoregressive networks: by the data, to JSON and back, and damaged ones."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from recurra.errors import FileFormatError, RunError
from recurra.series.autoregressive.recipe import AutoregressiveRecipe, make_recipe
from recurra.series.frequency import Frequency
from recurra.series.table_format import TableFormat
from tests.series.grids import panel_of

RANDOM = np.random.default_rng(1)
NOISE = RANDOM.normal(0, 1, 200)


def test_a_recipe_by_the_data():
    panel = replace(
        panel_of(NOISE, NOISE[:50], seasons=(7, 60)),
        known=(np.tile([[1.0, 5.0, math.nan]], (205, 1)), np.tile([[3.0, 5.0, math.nan]], (50, 1))),
        static=np.array([[2, 1], [1, 0]]),
    )
    recipe = make_recipe(panel, 10, "student-t", known=("a", "b", "c"), least=0.0)
    assert recipe == AutoregressiveRecipe(
        frequency=panel.frequency,
        horizon=10,
        context=24,
        lags=(1, 7, 14, 60),
        likelihood="student-t",
        is_centred=True,
        categories=(2, 1),
        known=("a", "b", "c"),
        known_means=(1.4, 5.0, 0.0),
        known_scales=(np.std([1.0] * 200 + [3.0] * 50), 1.0, 1.0),
        least=0.0,
    )
    assert recipe.inputs == 4 + 1 + 3 + 3
    assert recipe.reach == 24 + 60
    assert recipe.blank == 0


@pytest.mark.parametrize(
    ("length", "seasons", "horizon", "context"),
    [(200, (), 5, 24), (200, (), 50, 50), (500, (30,), 5, 60), (900, (200,), 5, 168), (9, (), 5, 4), (1, (), 5, 1)],
)
def test_the_context(length, seasons, horizon, context):
    assert make_recipe(panel_of(np.zeros(length), seasons=seasons), horizon, "normal").context == context


def test_a_context_of_ones_own():
    assert make_recipe(panel_of(NOISE), 5, "normal", 17).context == 17


def test_a_season_that_shows_is_a_lag():
    values = np.sin(np.arange(200) * 2 * np.pi / 11) + 0.1 * NOISE
    assert make_recipe(panel_of(values), 5, "normal").lags == (1, 11, 22)


@pytest.mark.parametrize(
    ("values", "likelihood", "is_centred"),
    [
        (NOISE, "normal", True),
        (NOISE + 1000, "normal", True),
        (np.abs(NOISE), "student-t", False),
        (np.round(np.abs(NOISE)) * 0 + 7, "poisson", False),
        (np.zeros(9), "student-t", False),
    ],
)
def test_centring(values, likelihood, is_centred):
    recipe = make_recipe(panel_of(values), 5, likelihood)
    assert recipe.is_centred is is_centred
    assert recipe.blank == (0 if is_centred else 1)


def test_too_many_categories():
    with pytest.raises(RunError, match="20000 categories are more than"):
        make_recipe(replace(panel_of(NOISE), static=np.array([[20_000]])), 5, "normal")


def test_json_and_back():
    panel = replace(panel_of(NOISE), known=(NOISE[:, None],), static=np.array([[3]]))
    form = TableFormat(Frequency("D"), ("y",))
    recipe = make_recipe(replace(panel, frequency=Frequency("D")), 10, "student-t", known=("promo",), table=form)
    recipe = replace(recipe, naive="last value", gain=0.1, coverage=(0.8, 0.9), left_out=7)
    assert AutoregressiveRecipe.from_content(json.loads(json.dumps(recipe.to_content()))) == recipe


@pytest.mark.parametrize(
    "change",
    [
        {"horizon": 0},
        {"horizon": True},
        {"context": 10**7},
        {"lags": []},
        {"lags": [2]},
        {"lags": [1, 1]},
        {"lags": [1, 2.0]},
        {"lags": 3},
        {"likelihood": "cauchy"},
        {"likelihood": ["normal"]},
        {"likelihood": "poisson"},
        {"is_centred": 1},
        {"frequency": {"name": "fortnight", "anchor": 0, "zone": None}},
        {"least": "0"},
        {"table": []},
        {"naive": 3},
        {"context": 80_000, "categories": [1000]},
        {"categories": [1000] * 10},
        {"categories": [-1]},
        {"categories": [10**6]},
        {"known": ["promo"]},
        {"known_means": [0.0]},
        {"known_means": [math.inf], "known_scales": [1.0]},
        {"known_means": [0.0], "known_scales": [0.0]},
        {"more": 1},
    ],
    ids=str,
)
def test_damaged_ones_are_refused(change):
    content = make_recipe(panel_of(NOISE), 10, "student-t").to_content()
    with pytest.raises(FileFormatError, match=r"forecaster|frequency|table"):
        AutoregressiveRecipe.from_content({**content, **change})


def test_no_object_is_refused():
    with pytest.raises(FileFormatError, match="must be an object"):
        AutoregressiveRecipe.from_content([])
