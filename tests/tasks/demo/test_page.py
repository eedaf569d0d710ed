"""The demo's page has all of its results, and replaces no file but an earlier page of the demo."""

import numpy as np
import pytest

from recurra.errors import RunError
from recurra.page.parts import Text
from recurra.tasks.demo.forecast import demo_forecast
from recurra.tasks.demo.page import DemoResults, demo_page, page_path, race_rows, race_sentence
from recurra.tasks.demo.races import Race

RACES = {
    1: [Race("own cell", 20.0, 10.0, 25, 1e-6), Race("GRU", 4.0, 8.0, 25, 1e-7)],
    2: [Race("own cell", 30.0, 5.0, 9, 2e-6), Race("GRU", 3.0, 9.0, 25, 1e-7)],
}


@pytest.fixture(scope="module")
def forecast():
    return demo_forecast(0.1)


def test_each_at_its_best():
    head, own, gru = race_rows(RACES)
    assert head[1:] == ("recurra, 1 thread", "torch, 1 thread", "recurra, 2 threads", "torch, 2 threads", head[-1])
    assert own == ("own cell", "20.00", "10.00", "30.00", "5.00", "4.00")
    assert gru == ("GRU", "4.00", "8.00", "3.00", "9.00", "0.38")
    sentence = race_sentence(RACES)
    assert "2e-06" in sentence
    assert "at least 9 alternating rounds" in sentence


def test_the_forecast(forecast):
    head, *rows = forecast.rows()
    assert head[1:] == ("forecast", "80 % interval", "came")
    assert [row[0] for row in rows] == [f"{year}-{month:02}" for year in (1959, 1960) for month in (3, 6, 9, 12)]
    assert [float(row[3]) for row in rows] == [406, 472, 463, 405, 419, 535, 508, 432]  # of the series itself
    for _, middle, interval, _ in rows:
        low, high = map(float, interval.split(" to "))
        assert low <= float(middle) <= high
    (chart,) = forecast.drawn.charts
    assert np.isfinite(chart.fans[0].quantiles).all()
    assert chart.is_backtest


def test_the_page(forecast):
    rows = [{"step": 100, "train_loss": 2.0, "valid_loss": 1.5, "seconds": 3.0, "lr": 0.1}]
    html = demo_page(DemoResults(rows, "def x<y", [Text(["shapes are here"])], forecast, RACES)).html()
    for part in ("def x&lt;y", "shapes are here", "coupled_lstm", "own cell", "never saw", "80 % interval"):
        assert part in html
    assert len(html) < 300_000


def test_the_place(tmp_path, monkeypatch, forecast):
    monkeypatch.chdir(tmp_path)
    assert page_path(None).name == "recurra-demo.html"
    (tmp_path / "recurra-demo.html").write_text("mine")
    assert page_path(None).name == "recurra-demo-2.html"
    demo_page(DemoResults([], "", [], forecast, RACES)).write(tmp_path / "recurra-demo-2.html")
    assert page_path(None).name == "recurra-demo-2.html"  # of an earlier demo: it is replaced
    with pytest.raises(RunError, match="exists already, and is no page of a demo"):
        page_path(tmp_path / "recurra-demo.html")
    with pytest.raises(RunError, match="cannot be written: name another path with --html"):
        page_path(tmp_path / "none" / "page.html")
    assert (tmp_path / "recurra-demo.html").read_text() == "mine"
