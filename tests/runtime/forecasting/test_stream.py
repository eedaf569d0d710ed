"""Streams of forecasts: the same as forecasts of whole histories, step by step."""

import dataclasses
import threading

import numpy as np
import pytest

from recurra.errors import RunError
from recurra.runtime.forecasting.surprise import surprise_of
from recurra.series.panel import Panel, make_panel
from tests.runtime.forecasters import model_of, panel_of, recipe


def cut(panel: Panel, end: int, horizon: int) -> Panel:
    """A panel of one series as it was known after so many steps."""
    return dataclasses.replace(
        panel.until(np.array([end])), known=tuple(values[: end + horizon] for values in panel.known)
    )


@pytest.mark.parametrize(
    ("frequency", "others"),
    [
        ("step", {"periods": ()}),
        ("MS", {"periods": (4,), "logarithm": True}),
        ("h", {"periods": (2, 5), "known": ("promo",), "past": ("rain", "sun"), "categories": (2,)}),
    ],
)
def test_a_stream_forecasts_what_the_whole_history_does(frequency, others):
    """To the bit, also after the stream has forgotten the beginning, and with missing values."""
    made = recipe(frequency, horizon=2, context=4, **others)
    model, panel = model_of(made), panel_of(made, 120, level=50.0)
    values = panel.target[0]
    values[[30, 31, 77]] = np.nan
    stream = model.stream(cut(panel, 10, 2))
    before = stream.forecast
    assert before.surprise is None
    for step in range(10, 118):
        known = panel.known[0][step + 2] if made.known else None
        past = panel.past[0][step] if made.past else None
        after = stream.step(values[step], known, past)
        whole = model.forecast(cut(panel, step + 1, 2))
        np.testing.assert_array_equal(after.quantiles, whole.quantiles[0])
        assert after.position == whole.positions[0]
        assert after.surprise == surprise_of(values[step], made.levels, before.quantiles[0])
        assert (after.surprise is None) == np.isnan(values[step])
        before = after
    assert stream.forecast is after
    np.testing.assert_array_equal(after.median, after.quantiles[:, made.median])


def test_logarithms_are_decided_at_the_beginning():
    made = recipe("MS", periods=(4,), logarithm=None)
    model = model_of(made)
    rising = np.exp(np.arange(40) / 8) * (1 + 0.5 * np.sin(np.arange(40) * np.pi / 2))
    stream = model.stream(rising)
    flat = model.stream(np.sin(np.arange(40.0)) + 3)
    assert stream._recipe.logarithm is True
    assert flat._recipe.logarithm is False
    np.testing.assert_array_equal(
        stream.forecast.quantiles, model.forecast(make_panel([rising], made.frequency)).quantiles[0]
    )


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
    forecast = type(model).forecast_checked

    def slow(self, *arguments):
        inside.set()
        leave.wait(10)
        return forecast(self, *arguments)

    monkeypatch.setattr(type(model), "forecast_checked", slow)
    thread = threading.Thread(target=stream.step, args=(3.0,))
    thread.start()
    inside.wait(10)
    with pytest.raises(RuntimeError, match="another thread"):
        stream.step(4.0)
    leave.set()
    thread.join()
    assert stream.forecast.position == 3
