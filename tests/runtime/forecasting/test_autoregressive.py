"""Autoregressive forecasters without torch: forecasts and paths of panels, their checks, and their files."""

from dataclasses import replace

import numpy as np
import pytest

from recurra.errors import FileFormatError, RunError
from recurra.model import Description, write
from recurra.model.quantize import quantize
from recurra.runtime import AutoregressiveModel, load, load_forecaster
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from tests.runtime.forecasters import autoregressive, forecaster, panel_of

RECIPE = AutoregressiveRecipe(
    Frequency("h"),
    4,
    6,
    (1, 3),
    "normal",
    True,
    categories=(2,),
    known=("promo",),
    known_means=(0.0,),
    known_scales=(1.0,),
)
MODEL = AutoregressiveModel(autoregressive(RECIPE))
PANEL = panel_of(RECIPE, 20, 7, 40)


def test_a_forecast_has_the_quantiles_of_the_paths():
    forecast, paths = MODEL.forecast(PANEL), MODEL.paths(PANEL)
    assert paths.shape == (3, 200, 4)
    assert forecast.levels == LEVELS
    assert forecast.positions.tolist() == (PANEL.starts + PANEL.lengths).tolist()
    np.testing.assert_array_equal(forecast.quantiles, np.quantile(paths, LEVELS, axis=1).transpose(1, 2, 0))
    np.testing.assert_array_equal(MODEL.forecast(PANEL, 2).quantiles, forecast.quantiles[:, :2])
    few = MODEL.paths(PANEL, 1, samples=5, seed=3)
    assert few.shape == (3, 5, 1)
    np.testing.assert_array_equal(few, MODEL.paths(PANEL, 1, samples=5, seed=3))
    assert not np.array_equal(few, MODEL.paths(PANEL, 1, samples=5, seed=4))
    assert MODEL.log_likelihood(PANEL, 2).shape == (3, 2)
    assert repr(MODEL) == "<AutoregressiveModel of 4 steps (h, normal)>"


def test_no_path_is_below_the_least_value():
    least = AutoregressiveModel(autoregressive(replace(RECIPE, least=0.5)))
    np.testing.assert_array_equal(least.paths(PANEL), np.maximum(MODEL.paths(PANEL), 0.5))


@pytest.mark.parametrize("kind", [None, "int8"])
def test_files(tmp_path, kind):
    description = autoregressive(RECIPE) if kind is None else quantize(autoregressive(RECIPE), kind)
    made = AutoregressiveModel(description)
    made.save(tmp_path / "m")
    loaded = load_forecaster(tmp_path / "m")
    assert isinstance(loaded, AutoregressiveModel)
    assert loaded.recipe == RECIPE
    np.testing.assert_array_equal(loaded.forecast(PANEL).quantiles, made.forecast(PANEL).quantiles)
    assert load(tmp_path / "m").input_size == RECIPE.inputs


def test_what_is_no_autoregressive_forecaster():
    with pytest.raises(FileFormatError, match="holds no autoregressive forecaster"):
        AutoregressiveModel(forecaster())


def test_networks_that_do_not_fit(tmp_path):
    with pytest.raises(FileFormatError, match=f"needs a network from {RECIPE.inputs} features to 2"):
        autoregressive(RECIPE, outputs=3)
    made = autoregressive(RECIPE)
    with pytest.raises(FileFormatError, match=f"needs a network from {RECIPE.inputs + 1} features to 2"):
        Description(made.root, made.weights, {"autoregressive": replace(RECIPE, categories=(3,))})
    write(Description(made.root, made.weights), tmp_path / "m")
    with pytest.raises(FileFormatError, match="m: it holds no forecaster"):
        load_forecaster(tmp_path / "m")


def test_panels_that_it_cannot_forecast():
    with pytest.raises(RunError, match="trained on steps of h; the series have steps of D"):
        MODEL.forecast(replace(PANEL, frequency=Frequency("D")))
    with pytest.raises(RunError, match="takes 1 static columns; the series have 0"):
        MODEL.check(replace(PANEL, static=np.zeros((3, 0), np.int64)))
    with pytest.raises(RunError, match="known inputs promo must be given for 6 steps after its end; 4 are"):
        MODEL.paths(PANEL, 6)
    with pytest.raises(RunError, match="forecasts 1 to 10000 steps; got 0"):
        MODEL.paths(PANEL, 0)
    with pytest.raises(RunError, match="has 1 past inputs; the forecaster takes none"):
        MODEL.forecast(replace(PANEL, past=tuple(np.zeros((len(values), 1)) for values in PANEL.target)))
    with pytest.raises(RunError, match="not finite"):
        MODEL.forecast(replace(PANEL, target=(np.array([1e308, 1e307] * 3), *PANEL.target[1:])))


def test_it_has_no_stream():
    with pytest.raises(RunError, match="has no stream"):
        MODEL.stream([1.0, 2.0])
