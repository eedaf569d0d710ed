"""The pages of forecasts and backtests show the right series, origins and numbers."""

import re

import numpy as np

from recurra.series.backtest import backtest
from recurra.series.naive import naive_forecasts
from recurra.series.panel import make_panel
from recurra.tasks.series.drawing import apart, page_of_backtest, page_of_forecast
from tests.page.elements import readout_of
from tests.tasks.series.picture.grids import Grid

MONTHS = Grid("2000-01", "M")
NAME = "seasonal naive"


def times(positions):
    return MONTHS.times(positions).astype("datetime64[M]").astype(str).tolist()


def panel_of(series=1, length=60):
    steps = np.arange(length)
    values = [100 + 10 * row + np.sin(steps * np.pi / 6) for row in range(series)]
    return make_panel(values, MONTHS, ids=[f"s{row}" for row in range(series)] if series > 1 else None)


def forecast_of(panel):
    return naive_forecasts(panel, 6, 12)[NAME]


def drawn(page):
    """The times and the rows of numbers of each chart."""
    return [readout_of(f"<svg{found}></svg>")[1:] for found in re.findall("<svg(.*?)>", page.html())]


def test_a_forecast_follows_its_series():
    panel = panel_of()
    page = page_of_forecast(panel, forecast_of(panel), times, "Next", naive=(NAME, forecast_of(panel)))
    ((shown, rows),) = drawn(page)
    assert shown[60:] == times(np.arange(60, 66))
    assert rows["Forecast"][60:] == rows["Naive"][60:]
    assert "Seasonal naive" in page.html()
    assert page.table is None


def test_of_many_series_the_first_are_drawn():
    panel = panel_of(60, 24)
    page = page_of_forecast(panel, forecast_of(panel), times, "Next")
    assert (len(page.charts), page.total) == (50, 60)
    assert "the first 50 of 60 series" in page.html()


def test_a_backtest_draws_forecasts_that_do_not_overlap():
    panel = panel_of(2)
    tested = backtest(forecast_of, panel, 6, origins=10, step=2, period=12)
    page = page_of_backtest(panel, tested, times, "Backtest", sentences=["It errs."])
    assert [fan.start for fan in page.charts[0].fans] == [36, 42, 48, 54]
    assert page.table.caption == "6 months from 10 origins, 2 months apart"
    assert page.table.rows[0][0] == "recurra"
    ((_, rows), _) = drawn(page)
    assert all(rows["Observed"][-6:])


def test_series_without_an_origin_are_not_drawn():
    panel = make_panel([np.arange(40.0) + 1, np.arange(5.0) + 1], MONTHS, ids=["long", "short"])
    tested = backtest(forecast_of, panel, 6, origins=2, period=12)
    page = page_of_backtest(panel, tested, times, "Backtest")
    assert [chart.name for chart in page.charts] == ["long"]


def test_origins_apart():
    assert apart(np.array([0, 1, 5, 6, 9, 12]), 6) == [0, 3, 5]
    assert apart(np.array([4]), 6) == [0]
