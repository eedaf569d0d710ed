"""Forecasts as tables: with the ids and times of the table that they were made from."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from recurra.series.columns import NamedColumns
from recurra.series.forecast import LEVELS, Forecast
from recurra.series.frames import frame_of, table_of
from recurra.series.guessing import guess_format
from recurra.series.panels import panel_of
from recurra.series.results import forecast_table, level_name, write_csv
from tests.series.tables import csv_text, panel_from


def forecast_of(panel, horizon=2):
    quantiles = np.broadcast_to(np.arange(len(LEVELS)) / 4, (len(panel), horizon, len(LEVELS)))
    return Forecast(panel.ids, panel.starts + panel.lengths, LEVELS, quantiles)


def rows_after(folder, text, **options):
    panel, form = panel_from(folder, text, **options)
    return list(csv.reader(io.StringIO(write_csv(forecast_table(forecast_of(panel), form)))))


@pytest.mark.parametrize(
    ("times", "after"),
    [
        (["1960-11", "1960-12"], ["1961-01", "1961-02"]),
        (["30.12.2020", "31.12.2020"], ["01.01.2021", "02.01.2021"]),
        (["12/30/2020", "12/31/2020"], ["01/01/2021", "01/02/2021"]),
        (["2020-03-31", "2020-04-30", "2020-05-31"], ["2020-06-30", "2020-07-31"]),
        (["2020Q3", "2020Q4"], ["2021Q1", "2021Q2"]),
        (["1999", "2000"], ["2001", "2002"]),
        (["7", "8", "9"], ["10", "11"]),
        (["2020-01-01T00:00:00Z", "2020-01-01T00:30:00Z"], ["2020-01-01T01:00:00Z", "2020-01-01T01:30:00Z"]),
    ],
)
def test_times_are_written_as_they_came(tmp_path, times, after):
    rows = rows_after(tmp_path, csv_text("when,y", *((time, 1) for time in times)), named={"time": "when"})
    assert rows[0] == ["when", "forecast", "q05", "q10", "q20", "q30", "q40", "q50", "q60", "q70", "q80", "q90", "q95"]
    assert [row[0] for row in rows[1:]] == after
    assert rows[1][1:4] == ["1.25", "0", "0.25"]


def test_ids_are_those_of_the_table(tmp_path):
    text = csv_text(
        "store,item,date,y", *((s, i, f"2020-01-0{d}", 1) for s in "ba" for i in ("007", "8") for d in (1, 2))
    )
    rows = rows_after(tmp_path, text, named={"ids": ("store", "item")})
    assert [row[:3] for row in rows[1::2]] == [[s, i, "2020-01-03"] for s in "ba" for i in ("007", "8")]


def test_a_wide_table_gives_a_column_of_series(tmp_path):
    rows = rows_after(tmp_path, "date,s1,s2\n2020-01-01,1,2\n2020-01-02,1,2\n")
    assert [row[:2] for row in rows] == [
        ["series", "date"],
        *([name, f"2020-01-0{day}"] for name in ("s1", "s2") for day in (3, 4)),
    ]


def test_rows_without_times_are_numbered(tmp_path):
    assert [row[0] for row in rows_after(tmp_path, "y\n1\n2\n3\n")] == ["step", "3", "4"]


def test_days_of_a_zone_in_frames():
    days = pd.date_range("2020-03-26", periods=3, tz="Europe/Berlin")
    frame = pd.DataFrame({"unique_id": [7] * 3, "ds": days, "y": [1.0, 2, 3]})
    table = table_of(frame)
    form = guess_format(table)
    made = frame_of(forecast_table(forecast_of(panel_of(table, form)), form), frame)
    assert made["ds"].tolist() == list(pd.date_range("2020-03-29", periods=2, tz="Europe/Berlin"))
    assert made["unique_id"].tolist() == [7, 7]
    assert made["unique_id"].dtype == "int64"


def test_clocks_of_a_named_zone_in_frames():
    hours = pd.date_range("2020-10-24 20:00", periods=4, freq="h")
    frame = pd.DataFrame({"ds": hours, "y": [1.0, 2, 3, 4]})
    table = table_of(frame)
    form = guess_format(table, NamedColumns(), zone="Europe/Berlin")
    made = frame_of(forecast_table(forecast_of(panel_of(table, form), 5), form), frame)
    assert made["ds"].dt.hour.tolist() == [0, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("level", "name"), [(0.05, "q05"), (0.1, "q10"), (0.5, "q50"), (0.975, "q975"), (0.001, "q001")]
)
def test_names_of_quantiles(level, name):
    assert level_name(level) == name


def test_numbers_are_short():
    table = table_of({"a": np.array([1 / 3, np.nan, 1e-20, 12345678901.0]), "b": np.arange(4)})
    assert write_csv(table).splitlines() == ["a,b", "0.3333333333,0", ",1", "1e-20,2", "1.23456789e+10,3"]
