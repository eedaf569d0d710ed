"""Streams of forecasts: the same as forecasts of whole histories, step by step."""

import dataclasses
import threading

import numpy as np
import pytest

from recurra import cells
from recurra.engines import engine
from recurra.errors import RunError
from recurra.model import Description, Part, Weight
from recurra.runtime import ForecastModel
from recurra.runtime.forecasting.networks import RepeatedNetworks
from recurra.runtime.forecasting.surprise import surprise_of
from recurra.series.panel import Panel, make_panel
from recurra.series.transforms import LOGARITHM, NONE
from tests.runtime.forecasters import ensemble, features_of, model_of, pair, panel_of, recipe
from tests.runtime.models import described, layer, linear, stack


def cut(panel: Panel, end: int, horizon: int) -> Panel:
    """A panel of one series as it was known after so many steps."""
    return dataclasses.replace(
        panel.until(np.array([end])), known=tuple(values[: end + horizon] for values in panel.known)
    )


@pytest.mark.parametrize(
    ("frequency", "others"),
    [
        ("step", {"periods": ()}),
        ("MS", {"periods": (4,), "transform": "logarithm"}),
        ("MS", {"periods": (4,), "transform": "root"}),
        (
            "D",
            {
                "periods": (7,),
                "linear_weights": (0.3, -0.1, 0.1, 0.1, 0.2, -0.2, 0.1),
                "linear_memory": 50,
                "blend_weights": ((0.1, 0.1, 0, 0, 0, 0, 0.1, 0.7), (0, 0.2, 0.1, 0, 0, 0, 0, 0.7)),
            },
        ),
        ("h", {"periods": (2, 5), "known": ("promo",), "past": ("rain", "sun"), "categories": (2,)}),
    ],
)
def test_a_stream_forecasts_what_the_whole_history_does(frequency, others):
    """Also after the stream has forgotten the beginning, and with missing values."""
    made = recipe(frequency, horizon=2, context=4, **others)
    model, panel = model_of(made), panel_of(made, 120, level=50.0)
    values = panel.target[0]
    values[[30, 31, 77]] = np.nan
    stream, next_only = model.stream(cut(panel, 10, 2), horizon=2), model.stream(cut(panel, 10, 1))
    before = stream.forecast
    assert before.surprise is None
    for step in range(10, 118):
        known = panel.known[0][step + 2] if made.known else None
        past = panel.past[0][step] if made.past else None
        after = stream.step(values[step], known, past)
        whole = model.forecast(cut(panel, step + 1, 2))
        np.testing.assert_allclose(after.quantiles, whole.quantiles[0], rtol=1e-6)
        known = panel.known[0][step + 1] if made.known else None
        np.testing.assert_array_equal(next_only.step(values[step], known, past).quantiles, after.quantiles[:1])
        assert after.position == whole.positions[0]
        assert after.surprise == surprise_of(values[step], made.levels, before.quantiles[0])
        assert (after.surprise is None) == np.isnan(values[step])
        before = after
    assert stream.forecast is after
    np.testing.assert_array_equal(after.median, after.quantiles[:, made.median])


def test_logarithms_are_decided_at_the_beginning():
    made = recipe("MS", periods=(4,), transform=None)
    model = model_of(made)
    rising = np.exp(np.arange(40) / 8) * (1 + 0.5 * np.sin(np.arange(40) * np.pi / 2))
    stream = model.stream(rising)
    flat = model.stream(np.sin(np.arange(40.0)) + 3)
    assert stream._window.transform is LOGARITHM
    assert flat._window.transform is NONE
    np.testing.assert_allclose(
        stream.forecast.quantiles, model.forecast(make_panel([rising], made.frequency), 1).quantiles[0], rtol=1e-6
    )


def test_a_stream_from_the_beginning():
    """Without a history, the first forecast follows the first value."""
    model = model_of(recipe("MS", periods=(4,)))
    stream = model.stream(start=7)
    assert stream.forecast is None
    with pytest.raises(RunError, match="nothing was observed in the last 1 steps"):
        stream.step(np.nan)
    after = stream.step(5.0)
    assert after.surprise is None
    whole = model.forecast(make_panel([[np.nan, 5.0]], model.recipe.frequency, starts=np.array([7])), 1)
    np.testing.assert_allclose(after.quantiles, whole.quantiles[0], rtol=1e-6)
    assert after.position == whole.positions[0] == 9
    with pytest.raises(RunError, match="needs a history: a panel of one series"):
        model_of(recipe(known=("promo",))).stream()


def test_networks_of_more_layers_and_in_float64():
    made = recipe(horizon=3)
    networks = described(ensemble(*[pair(*features_of(made), 11, cell=cells.lstm, num_layers=2)] * 2))
    wide = {name: Weight.of(weight.values().astype(np.float64)) for name, weight in networks.weights.items()}
    for weights in (networks.weights, wide):
        model, panel = ForecastModel(Description(networks.root, weights, {"forecaster": made})), panel_of(made, 30)
        stream = model.stream(panel, horizon=3)
        np.testing.assert_allclose(stream.forecast.quantiles, model.forecast(panel).quantiles[0], rtol=1e-6)


def test_a_decoder_that_reads_later_steps_forecasts_the_whole_horizon():
    made = recipe(horizon=3)
    past, future = features_of(made)
    encoder, inner = (layer(cells.gru, size, 4, bidirectional=True) for size in (past, future))
    member = Part("EncoderDecoder", {}, (("encoder", encoder), ("decoder", stack(inner, linear(8, 11)))))
    networks = described(ensemble(member, member))
    model = ForecastModel(Description(networks.root, networks.weights, {"forecaster": made}))
    panel = panel_of(made, 30)
    stream = model.stream(panel, horizon=3)
    np.testing.assert_allclose(stream.forecast.quantiles, model.forecast(panel).quantiles[0], rtol=1e-6)
    with pytest.raises(RunError, match="reads later steps: a stream needs horizon=3"):
        model.stream(panel)


def test_on_the_engine_of_its_beginning():
    model, panel = model_of(), panel_of(recipe(), 30)
    with engine("reference"):
        stream = model.stream(panel)
    own = stream.step(1.0)
    np.testing.assert_allclose(own.quantiles, model.stream(panel).step(1.0).quantiles, rtol=1e-5, atol=1e-6)


def test_without_weight_no_network_runs(monkeypatch):
    model = model_of(recipe(network_weight=0.0))
    monkeypatch.setattr(RepeatedNetworks, "__call__", None)
    panel = panel_of(model.recipe, 12)
    stream = model.stream(panel)
    np.testing.assert_allclose(stream.forecast.quantiles, model.forecast(panel, 1).quantiles[0])


def test_the_position_goes_on():
    model = model_of()
    stream = model.stream([1.0, 2.0], start=5)
    assert stream.forecast.position == 7
    assert stream.step(3.0).position == 8
    assert stream.step(np.nan).surprise is None
    assert stream.forecast.position == 9


def test_what_a_stream_refuses():
    model = model_of(recipe(known=("promo",)))
    panel = panel_of(model.recipe, 8)
    stream = model.stream(panel)
    before = stream.forecast
    for value, known, past, message in (
        (np.inf, [1], None, "infinite value"),
        (1.0, None, None, r"takes 1 known inputs, promo; got \(0,\)"),
        (1.0, [1, 2], None, r"takes 1 known inputs, promo; got \(2,\)"),
        (1.0, [1], [1], r"takes no past inputs; got \(1,\)"),
    ):
        with pytest.raises(RunError, match=message):
            stream.step(value, known, past)
    assert stream.forecast is before
    with pytest.raises(ValueError, match="could not convert"):
        stream.step("a", [1])
    assert stream.step(1.0, [1]).position == before.position + 1
    with pytest.raises(RunError, match="a stream is of one series; the history has 2"):
        model.stream(panel_of(model.recipe, 8, 8))
    with pytest.raises(RunError, match=r"must be \(steps,\)"):
        model_of().stream([[1.0]])
    with pytest.raises(RunError, match="nothing of the series was observed"):
        model_of().stream([])
    with pytest.raises(RunError, match="forecasts 1 to 3 steps; got 4"):
        model_of().stream([1.0], horizon=4)
    with pytest.raises(RunError, match="must be given for 3 steps after its end; 2 are"):
        model.stream(cut(panel, 8, 2), horizon=3)
    with pytest.raises(RunError, match="the forecast of the series is not finite"):
        model_of().stream([1e308, -1e308])


def test_a_stream_goes_on_after_a_long_gap():
    model = model_of()
    stream = model.stream([1.0, 2.0])
    for _ in range(4):
        stream.step(np.nan)
    with pytest.raises(RunError, match="nothing was observed in the last 5 steps"):
        stream.step(np.nan)
    after = stream.step(4.0)
    assert after.surprise is None
    assert after.position == 8
    assert np.isfinite(after.quantiles).all()
    assert stream.step(4.0).surprise is not None


def test_one_thread_at_a_time(monkeypatch):
    model = model_of()
    stream = model.stream([1.0, 2.0])
    inside, leave = threading.Event(), threading.Event()
    forecast = type(stream)._forecast

    def slow(self, *arguments):
        inside.set()
        leave.wait(10)
        return forecast(self, *arguments)

    monkeypatch.setattr(type(stream), "_forecast", slow)
    thread = threading.Thread(target=stream.step, args=(3.0,))
    thread.start()
    inside.wait(10)
    with pytest.raises(RuntimeError, match="another thread"):
        stream.step(4.0)
    leave.set()
    thread.join()
    assert stream.forecast.position == 3


def test_a_series_that_falls_below_the_least_value_is_forecast_below_it():
    made = recipe("MS", horizon=2, context=4, periods=(4,), least=0.0)
    model = model_of(made)
    values = [3.0, 2.0, 1.0, 2.0, 0.5, 1.0]
    stream = model.stream(values, horizon=2)
    for value in (-50.0, -60.0, -55.0, -58.0):
        values.append(value)
        after = stream.step(value)
        whole = model.forecast(make_panel([np.array(values)], made.frequency))
        np.testing.assert_allclose(after.quantiles, whole.quantiles[0], rtol=1e-6)
    assert after.median.max() < 0
