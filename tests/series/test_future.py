"""Tables at forecast time: they follow the training data, or the message says where they do not."""

import numpy as np
import pandas as pd
import pytest

from recurra.errors import RunError
from recurra.series.columns import NamedColumns
from recurra.series.frames import table_of
from recurra.series.future import adapted_format, future_template, joined, panel_for_forecast
from recurra.series.guessing import guess_format
from recurra.series.panels import panel_of
from recurra.series.results import write_csv

N = 20


def history(first="2020-01-01", freq="D", ids=("a", "b")):
    dates = [str(day.date()) for day in pd.date_range(first, periods=N, freq=freq)]
    return {
        "id": [name for name in ids for _ in dates],
        "date": dates * len(ids),
        "y": np.arange(float(N * len(ids))),
        "promo": [0, 1] * (N * len(ids) // 2),
        "kind": ["x", "y"] * (N * len(ids) // 2),
        "place": [name.upper() for name in ids for _ in dates],
    }


NAMED = NamedColumns(known=("promo", "kind"), static=("place",))
TABLE = table_of(history())
FORM = guess_format(TABLE, NAMED)


def future(**changes):
    rows = {
        "id": ["a", "a", "b", "b"],
        "date": ["2020-01-21", "2020-01-22"] * 2,
        "promo": [1, 0, 1, 1],
        "kind": list("xyyx"),
    }
    return table_of(rows | changes, "the future")


def test_known_inputs_ahead():
    panel = panel_for_forecast(joined(TABLE, future()), FORM, 2)
    assert panel.lengths.tolist() == [N, N]
    assert panel.known[0][N:].tolist() == [[1, 1, 0], [0, 0, 1]]
    assert panel.static.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            None,
            "series a needs known input promo, kind until 2020-01-22, and it is missing from 2020-01-21 on",
        ),
        (
            {"promo": [1, 0, 1, np.nan]},
            "series b needs known input promo until 2020-01-22, .* from 2020-01-22 on; --template",
        ),
        (
            {"kind": ["x", "", "x", "x"]},
            "series a needs known input kind until 2020-01-22, .* from 2020-01-22 on; --template",
        ),
        (
            {"date": ["2020-01-21", "2020-01-23"] * 2},
            "series a needs known input promo, kind until .* from 2020-01-22 on",
        ),
    ],
)
def test_known_inputs_that_are_missing(rows, message):
    table = TABLE if rows is None else joined(TABLE, future(**rows))
    with pytest.raises(RunError, match=message):
        panel_for_forecast(table, FORM, 2)


def test_a_template_to_fill_in():
    panel = panel_of(joined(TABLE, future(promo=[1, np.nan, np.nan, np.nan])), FORM)
    lines = write_csv(future_template(panel, FORM, 3)).splitlines()
    assert lines == [
        "id,date,promo,kind",
        "a,2020-01-21,1,x", "a,2020-01-22,,y", "a,2020-01-23,,",
        "b,2020-01-21,,y", "b,2020-01-22,,x", "b,2020-01-23,,",
    ]  # fmt: skip


def test_a_template_of_a_wide_table():
    dates, steps = history()["date"][:N], np.arange(N)
    table = table_of({"date": dates, "s1": steps, "s2": steps, "promo": steps % 2})
    form = guess_format(table, NamedColumns(known=("promo",), targets=("s1", "s2")))
    lines = write_csv(future_template(panel_of(table, form), form, 2)).splitlines()
    assert lines == ["date,promo", "2020-01-21,", "2020-01-22,"]


def test_series_and_categories_that_are_new():
    notes = []
    table = table_of(history(ids=("a", "c")) | {"kind": ["z", "y"] * N})
    panel = panel_for_forecast(table, FORM, 0, notes.append)
    assert notes == [
        "column kind has categories that were not trained on: z",
        "column place has categories that were not trained on: C",
        "1 series were not trained on: c",
    ]
    assert panel.static.tolist() == [[1], [0]]
    assert panel.known[0][0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (history(freq="MS"), r"the frame is monthly \(MS\), and the model was trained on data that are daily \(D\)"),
        (history(freq="2D"), r"the frame is every 2 days \(2D\), and the model was trained"),
        (
            {name: values for name, values in history().items() if name != "promo"},
            "no column promo, which the training data",
        ),
        (history() | {"date": np.arange(2 * N)}, "has whole numbers, and the frequency is daily"),
        (history() | {"date": ["x", *history()["date"][1:]]}, "'x' at row 0 is no time of the form %Y-%m-%d"),
    ],
)
def test_tables_that_do_not_follow_the_training_data(table, message):
    with pytest.raises(RunError, match=message):
        panel_for_forecast(table_of(table), FORM, 0)


def test_times_may_be_written_in_another_way():
    frame = pd.DataFrame(history()).assign(date=lambda frame: pd.to_datetime(frame["date"]))
    table = table_of(frame)
    assert panel_for_forecast(table, FORM, 0).starts.tolist() == [0, 0]
    assert adapted_format(table, FORM).time_kind == "time"
    assert adapted_format(TABLE, FORM) == FORM


def test_a_few_rows_follow_any_frequency():
    named = NamedColumns(targets=("y",))
    table = table_of({"date": ["2020-02-03"], "y": [1.0]})
    form = guess_format(table_of({"date": history()["date"][:N], "y": np.arange(N)}), named)
    assert panel_for_forecast(table, form, 1).starts.tolist() == [33]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"prom": [1]}, r"has no column prom; did you mean promo\?"),
        ({"date": pd.to_datetime(["2020-01-21"])}, "has times"),
    ],
)
def test_tables_that_cannot_be_joined(second, message):
    with pytest.raises(RunError, match=message):
        joined(TABLE, table_of(pd.DataFrame(second), "the future"))


def test_a_table_with_a_zone_for_a_model_without_one():
    frame = pd.DataFrame(history())
    frame["date"] = pd.to_datetime(frame["date"]).dt.tz_localize("Europe/Berlin")
    with pytest.raises(RunError, match="times of the zone Europe/Berlin, and the model was trained on times without"):
        panel_for_forecast(table_of(frame), FORM, 0)


def test_series_of_one_value_are_noted():
    notes = []
    panel_for_forecast(table_of({name: values[:21] for name, values in history().items()}), FORM, 0, notes.append)
    assert notes == ["1 series (b) with one value alone: the forecast is that value, without an interval"]
