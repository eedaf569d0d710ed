"""The page is one HTML file that needs nothing else, and shows what was observed, forecast and compared."""

import re
from dataclasses import replace

import numpy as np
import pytest

from recurra.page.parts import DataTable
from recurra.series.forecast import LEVELS
from recurra.tasks.series.picture.chart import Chart, Fan, drawing
from recurra.tasks.series.picture.page import Page
from tests.page.elements import Elements, of_class, readout_of
from tests.tasks.series.picture.grids import Grid

MONTHS = Grid("2000-01", "M")


def times(positions):
    return MONTHS.times(positions).astype("datetime64[M]").astype(str).tolist()


def fan(start, horizon=6, level=10.0):
    quantiles = level + np.arange(horizon)[:, None] + 4 * np.array(LEVELS)[None]
    return Fan(start, LEVELS, quantiles, np.full(horizon, level))


def chart(name="", length=36, *fans, values=None):
    observed = 10 + np.sin(np.arange(length)) if values is None else values
    return Chart(name, 0, observed, fans or (fan(length),), MONTHS, times)


def test_a_forecast():
    table = DataTable("On left-out data", ("", "MASE"), (("recurra", "1"),))
    html = Page("Sales", (chart(),), 1, ("Better by 12 %.",), table).html()
    assert html.startswith("<!doctype html>")
    for kind in ("observed", "median", "band80", "band90", "naive"):
        assert len(of_class(html, kind)) == 2  # its line, and its key
    assert "Better by 12 %." in html
    assert "<caption>On left-out data</caption>" in html
    assert not [attrs for tag, attrs in Elements(html).found if tag in ("select", "circle")]


def test_the_file_needs_no_other():
    html = Page("Sales", (chart("a"), chart("b")), 2).html()
    assert not re.search(r"https?:|<link|@import|url\(|\bsrc=", html)


def test_names_are_text_and_no_code():
    name = '</script><script>alert("é")</script>\'&'
    html = Page(name, (chart(name), chart("b")), 2, (name,)).html()
    assert "<script>alert" not in html
    assert html.count("</script>") == 1
    assert {attrs["aria-label"] for tag, attrs in Elements(html).found if tag == "svg"} >= {f"Forecast of {name}"}


def test_several_series_are_chosen_among():
    html = Page("Sales", (chart("a"), chart("b"), chart("c")), 10_000).html()
    elements = Elements(html).found
    chosen = [attrs for tag, attrs in elements if "data-series" in attrs]
    assert [(each["data-series"], "hidden" in each) for each in chosen] == [("0", False), ("1", True), ("2", True)] * 2
    assert "the first 3 of 10,000 series" in html


def test_the_pointer_shows_numbers_at_their_times():
    _, times, rows = readout_of(drawing(chart(length=36)))
    assert times[0] == "2000-01"
    assert times[-1] == "2003-06"
    assert list(rows) == ["Observed", "Forecast", "80 % interval", "90 % interval", "Naive"]
    assert rows["Observed"][36:] == [""] * 6
    assert rows["Forecast"][36] == "12.00"
    assert rows["80 % interval"][36] == "10.40 to 13.60"
    assert rows["Forecast"][:36] == [""] * 36


def test_a_backtest_shows_what_came_true():
    tested = chart("", 36, fan(24), fan(30))
    drawn = drawing(tested)
    assert len(of_class(drawn, "actual")) == 12
    assert len(of_class(drawn, "origin")) == len(of_class(drawn, "median")) == 2
    assert readout_of(drawn)[2]["Observed"][-1]
    assert tested.is_backtest
    assert not chart().is_backtest


def test_a_gap_is_a_gap():
    values = np.arange(36.0)
    values[10:13] = np.nan
    values[20] = values[22] = np.nan
    drawn = drawing(chart(values=values))
    (line,) = of_class(drawn, "observed")
    assert line["d"].count("M") == 4
    assert len(of_class(drawn, "actual")) == 1  # the one between two gaps, which has no line


def test_a_long_history_is_cut():
    drawn = drawing(chart(length=5000))
    assert len(readout_of(drawn)[1]) == 240 + 6
    assert len(drawn) < 60_000


@pytest.mark.parametrize(
    ("values", "forecast"),
    [
        (np.zeros(5), np.zeros((2, 11))),
        (np.full(5, 1e12), np.full((2, 11), 1e12)),
        (np.array([1e-12, 2e-12]), np.full((1, 11), 1e-12)),
        (np.full(4, np.nan), np.ones((3, 11))),
        (np.array([-5.0, 5.0]), np.full((1, 11), -7.0)),
    ],
)
def test_any_numbers_are_drawn(values, forecast):
    drawn = drawing(Chart("", 0, values, (Fan(len(values), LEVELS, forecast),), MONTHS, times))
    for number in re.findall(r'(?:cx|cy|x|y|x1|x2|y1|y2|points|d)="([^"]*)"', drawn):
        assert "nan" not in number
        assert "inf" not in number


def test_other_levels_have_the_intervals_that_they_give():
    levels = (0.1, 0.5, 0.9)
    drawn = drawing(chart("", 36, replace(fan(36), levels=levels, quantiles=np.ones((6, 3)))))
    assert of_class(drawn, "band80")
    assert not of_class(drawn, "band90")
