"""Forecasters without torch: forecasts of panels, their checks, and their files."""

import dataclasses
import re

import numpy as np
import pytest

from recurra import cells, runtime
from recurra.errors import FileFormatError, RunError
from recurra.model import Description, write
from recurra.model.quantize import quantize
from recurra.runtime import ForecastModel, load_forecaster
from recurra.runtime.forecasting import model as module
from recurra.series.frequency import Frequency
from recurra.series.windows import SeriesReader, network_quantiles
from tests.runtime.forecasters import ensemble, features_of, forecaster, model_of, pair, panel_of, recipe
from tests.runtime.models import described, linear

RICH = {"known": ("promo", "price"), "past": ("rain",), "categories": (3, 2)}


def test_a_forecast_is_that_of_its_networks():
    """The mean of the members' quantiles, which each network gives for the windows at the series' ends."""
    made = recipe("h", horizon=4, context=6, periods=(3,), network_weight=0.75, **RICH)
    model, panel = model_of(made), panel_of(made, 20, 7, 40)
    reader = SeriesReader(panel, made)
    encoded = reader.encode(reader.ends())
    quantiles = []
    for member in model.description.members():
        encoder, decoder = map(runtime.Model, member.members())
        outputs, _ = decoder(encoded.future, encoder(encoded.past)[1])
        quantiles.append(network_quantiles(outputs, made.median))
    expected = encoded.decode(np.mean(quantiles, axis=0), made)
    found = model.forecast(panel)
    np.testing.assert_allclose(found.quantiles, expected, rtol=1e-12)
    assert found.ids == panel.ids
    assert found.positions.tolist() == (panel.starts + panel.lengths).tolist()
    assert found.levels == made.levels
    assert found.quantiles.shape == (3, 4, len(made.levels))
    assert (np.diff(found.quantiles, axis=-1) >= 0).all()
    np.testing.assert_array_equal(found.median, found.quantiles[:, :, made.median])


def test_series_do_not_depend_on_each_other(monkeypatch):
    """One at a time, some at a time, all at once: the same bits."""
    made = recipe("D", horizon=3, context=5, periods=(2, 4), transform=None, **RICH)
    panel = panel_of(made, *range(1, 30), level=30.0)
    whole = model_of(made).forecast(panel)
    monkeypatch.setattr(module, "_NUMBERS", 1)
    one_by_one = model_of(made).forecast(panel)
    np.testing.assert_array_equal(one_by_one.quantiles, whole.quantiles)
    some = model_of(made)
    some._at_once = 4
    np.testing.assert_array_equal(some.forecast(panel).quantiles, whole.quantiles)


def test_a_shorter_horizon_is_the_beginning_of_the_whole():
    model = model_of()
    panel = panel_of(model.recipe, 9)
    whole = model.forecast(panel)
    np.testing.assert_array_equal(model.forecast(panel, 2).quantiles, whole.quantiles[:, :2])
    for horizon in (0, 4, -1):
        with pytest.raises(RunError, match=f"forecasts 1 to 3 steps; got {horizon}"):
            model.forecast(panel, horizon)


def test_without_weight_the_networks_say_nothing():
    made = recipe(network_weight=0.0)
    panel = panel_of(made, 12)
    one, other = (ForecastModel(forecaster(made, cell=cell)) for cell in (cells.gru, cells.lstm))
    np.testing.assert_array_equal(one.forecast(panel).quantiles, other.forecast(panel).quantiles)


def test_no_series_no_forecast():
    model = model_of()
    assert model.forecast(panel_of(model.recipe)).quantiles.shape == (0, 3, 11)


@pytest.mark.parametrize("scale", [1e12, 1e-12, 0.0])
def test_any_scale(scale):
    model = model_of()
    panel = panel_of(model.recipe, 20)
    scaled = dataclasses.replace(panel, target=tuple(values * scale for values in panel.target))
    np.testing.assert_allclose(
        model.forecast(scaled).quantiles, model.forecast(panel).quantiles * scale, rtol=1e-5, atol=1e-6 * scale
    )


def test_what_is_refused_names_the_series():
    made = recipe("MS", **RICH)
    model, panel = model_of(made), panel_of(made, 8, 9)

    def refused(message, **changes):
        with pytest.raises(RunError, match=re.escape(message)) as caught:
            model.forecast(dataclasses.replace(panel, **changes))
        assert "\n" not in str(caught.value)

    first, second = panel.target
    refused("series 's1' has an infinite value at step 2", target=(first, np.where(np.arange(9) == 2, np.inf, second)))
    refused("nothing of series 's0' was observed", target=(first * np.nan, second))
    refused("steps of MS; the series have steps of h", frequency=Frequency("h"))
    refused("of MS; the series have steps of MS in Europe/Berlin", frequency=Frequency("MS", 0, "Europe/Berlin"))
    refused(
        "series 's0' has 0 known inputs; the forecaster takes promo, price",
        known=tuple(np.zeros((20, 0)) for _ in "ab"),
    )
    refused("series 's0' has 2 past inputs; the forecaster takes rain", past=(np.zeros((8, 2)),) * 2)
    refused("2 static columns; the series have 0", static=np.zeros((2, 0), np.int64))
    refused(
        "series 's1': the known inputs promo, price must be given for 3 steps after its end; 1 are",
        known=(panel.known[0], panel.known[1][:10]),
    )
    alone = panel_of(recipe(), 1)
    with pytest.raises(RunError, match="nothing of the series was observed"):
        model_of().forecast(dataclasses.replace(alone, ids=("",), target=(np.array([np.nan]),)))


def test_a_forecast_that_is_not_finite_is_refused():
    far = ((*(-9.0,) * 5, 0.0, *(9.0,) * 5),) * 3
    model = model_of(dataclasses.replace(recipe(widths=(1e308,) * 11), reference_quantiles=far))
    with pytest.raises(RunError, match="forecast of series 's0' is not finite"):
        model.forecast(panel_of(model.recipe, 9))


def test_saved_and_loaded(tmp_path):
    model = model_of()
    panel = panel_of(model.recipe, 9)
    model.save(tmp_path / "model.safetensors")
    for path in (tmp_path / "model.safetensors", tmp_path, str(tmp_path)):
        found = load_forecaster(path)
        assert found.recipe == model.recipe
        np.testing.assert_array_equal(found.forecast(panel).quantiles, model.forecast(panel).quantiles)
    assert repr(found) == "<ForecastModel of 3 steps (step); 2 networks>"


def test_quantized_weights_forecast_nearly_the_same():
    model = model_of()
    panel = panel_of(model.recipe, 30)
    for kind in ("bf16", "int8"):
        narrow = ForecastModel(quantize(model.description, kind))
        np.testing.assert_allclose(narrow.forecast(panel).median, model.forecast(panel).median, rtol=0, atol=1e-3)


def test_what_is_no_forecaster_is_refused(tmp_path):
    write(described(linear(2, 1)), tmp_path / "m")
    with pytest.raises(FileFormatError, match="m: it holds no forecaster"):
        load_forecaster(tmp_path / "m")
    for path in (tmp_path / "none", tmp_path, "zero\0byte"):
        with pytest.raises(FileFormatError, match=r"cannot be read|null") as caught:
            load_forecaster(path)
        assert "\n" not in str(caught.value)


def test_networks_that_do_not_take_what_the_recipe_makes_are_refused(tmp_path):
    made = recipe()
    past, future = features_of(made)

    def refused(message, member, **changes):
        networks = described(ensemble(member, member))
        changed = dataclasses.replace(made, **changes)
        write(Description(networks.root, networks.weights, {"forecaster": changed}), tmp_path / "m")
        with pytest.raises(FileFormatError, match=message):
            load_forecaster(tmp_path / "m")

    refused(f"the forecaster's encoders take 1 features; its recipe makes {past}", pair(1, future, 11))
    refused(f"the forecaster's decoders take 9 features; its recipe makes {future}", pair(past, 9, 11))
    refused(
        "reference_weights must be of 1 references, not 2", pair(past, future, 11), reference_weights=((0.5, 0.5),) * 3
    )
    inputs = tuple(map(str, range(1000)))
    wide = recipe(known=inputs, context=100_000)
    networks = described(ensemble(*[pair(*features_of(recipe(known=inputs)), 11, hidden=1)] * 2))
    write(Description(networks.root, networks.weights, {"forecaster": wide}), tmp_path / "m")
    with pytest.raises(FileFormatError, match=r"a window of the forecaster has \d+ numbers; at most"):
        load_forecaster(tmp_path / "m")
