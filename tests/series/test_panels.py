"""Panels of tables: on the grid, nothing invented, and every fault of a table named with its place and remedy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.series.checking import check_counts, check_length
from recurra.series.frames import table_of
from recurra.series.frequency import Frequency
from recurra.series.guessing import guess_format
from recurra.series.panel import make_panel
from recurra.series.panels import panel_of
from tests.series.tables import csv_text, months, panel_from

M = months(8)
NAN = np.nan


def test_a_series(tmp_path):
    panel, form = panel_from(tmp_path, csv_text("Month,Passengers", *zip(M, range(8), strict=True)))
    assert (panel.ids, panel.starts.tolist(), panel.frequency.name) == (("",), [0], "MS")
    assert panel.target[0].tolist() == list(range(8))
    assert panel.known[0].shape == panel.past[0].shape == (8, 0)
    assert panel.static.shape == (1, 0)
    assert form.frequency == panel.frequency


def test_series_by_id_with_inputs(tmp_path):
    months_of = list(enumerate(M))
    rows = [(month, name, number, number % 2, 9 - number, name.upper()) for name in "ba" for number, month in months_of]
    named = {"known": ("promo",), "past": ("heat",), "static": ("region",)}
    panel, form = panel_from(tmp_path, csv_text("date,id,y,promo,heat,region", *rows), named=named)
    assert panel.ids == ("b", "a")
    assert panel.known[1][:, 0].tolist() == [0, 1] * 4
    assert panel.past[0][:, 0].tolist() == list(range(9, 1, -1))
    assert form.static_categories == (("A", "B"),)
    assert panel.static.tolist() == [[2], [1]]


def test_series_in_columns(tmp_path):
    rows = [(month, i, i if i > 2 else "", i if i < 6 else "") for i, month in enumerate(M)]
    panel, _ = panel_from(tmp_path, csv_text("date,s1,s2,s3", *rows))
    assert panel.ids == ("s1", "s2", "s3")
    assert panel.starts.tolist() == [0, 3, 0]
    assert [values.tolist() for values in panel.target] == [list(range(8)), [3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5]]


def test_rows_without_times_are_steps(tmp_path):
    panel, _ = panel_from(tmp_path, "y\n5\n4\n3\n")
    assert (panel.frequency.name, panel.starts.tolist(), panel.target[0].tolist()) == ("step", [0], [5, 4, 3])


def test_rows_ahead_are_known_inputs(tmp_path):
    rows = [(month, number if number < 6 else "", number * 10) for number, month in enumerate(M)]
    panel, _ = panel_from(tmp_path, csv_text("date,y,price", *rows), named={"known": ("price",)})
    assert panel.target[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert panel.known[0][:, 0].tolist() == [0, 10, 20, 30, 40, 50, 60, 70]


def test_known_texts_are_features(tmp_path):
    kinds = ["none", "big", "none", "", "small", "big", "none", "none"]
    panel, form = panel_from(
        tmp_path, csv_text("date,y,promo", *zip(M, range(8), kinds, strict=True)), named={"known": ("promo",)}
    )
    assert form.known_features == ("promo=big", "promo=none", "promo=small")
    np.testing.assert_array_equal(panel.known[0][:5], [[0, 1, 0], [1, 0, 0], [0, 1, 0], [NAN] * 3, [0, 0, 1]])


def test_truths_are_numbers(tmp_path):
    rows = zip(M, range(8), ["True", "False"] * 4, strict=True)
    panel, _ = panel_from(tmp_path, csv_text("date,y,promo", *rows), named={"known": ("promo",)})
    assert panel.known[0][:, 0].tolist() == [1, 0] * 4


def test_missing_rows_and_values_stay_missing(tmp_path):
    rows = [(month, "" if number == 2 else number) for number, month in enumerate(M) if number not in (4, 5)]
    notes = []
    panel, _ = panel_from(tmp_path, csv_text("date,y", *rows), notes=notes)
    np.testing.assert_array_equal(panel.target[0], [0, 1, NAN, 3, NAN, NAN, 6, 7])
    assert notes == [
        "2 missing rows of column y are left missing, the first at 2020-05-01",
        "1 missing value of column y is left missing, the first at 2020-03-01",
    ]
    with pytest.raises(RunError, match=r"column y has no row for 2020-05-01; add it, or .* with --on-gap fill"):
        panel_from(tmp_path, csv_text("date,y", *rows), on_gap="error")


def test_rows_are_sorted(tmp_path):
    notes = []
    panel, _ = panel_from(tmp_path, csv_text("date,y", *zip(M[::-1], range(8), strict=True)), notes=notes)
    assert panel.target[0].tolist() == list(range(7, -1, -1))
    assert notes == ["the rows of data.csv were sorted by time"]


def test_columns_without_a_use_are_named(tmp_path):
    notes = []
    panel_from(tmp_path, csv_text("date,y,price", *zip(M, range(8), range(8), strict=True)), notes=notes)
    assert notes == ["not used: price; name columns that help with --known, --past or --static"]


def daily(values, header="date,y"):
    return csv_text(header, *((f"2020-01-{day:02d}", value) for day, value in enumerate(values, 1)))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (daily([1, 2, "x", 4]), {}, "column y has the text 'x' at line 4 of data.csv; write a number"),
        (
            daily([1, 2, "inf", 4]),
            {},
            r"column y has an infinite value at 2020-01-03 \(line 4 of data.csv\); repair it",
        ),
        (daily([1, 2, "1e305", 4]), {}, r"column y has the huge value 1e\+305 at 2020-01-03 \(line 4"),
        (
            daily([1, 2, 3]) + "2020-01-02,9\n",
            {},
            r"twice: 2020-01-02 \(line 3 of data.csv\), and again at line 5; .* --id",
        ),
        (
            "date,y\n2020-01-01,1\n2020-01-08,2\n2020-01-15,3\n2020-01-20,3\n2020-01-29,1\n",
            {},
            r"irregular spacing: 2020-01-20 \(line 5 of data.csv\) does not fit the step weekly \(W\); .* --freq",
        ),
        (
            "date,y\n2020-01-01 00:00:00,1\n2020-01-01 00:00:05,1\n2020-02-11 05:17:20,2\n2021-01-20 05:17:25,3\n",
            {},
            "steps of every 5 seconds .* and only 4 of them have a row; the widest gap follows 2020-02-11 05:17:20",
        ),
        ("date,y\n2020-01-01,1\n", {}, "no series has two different times: name the frequency with --freq"),
        (
            "date,y\n2020-01-01,1\n2020-02-01,2\n",
            {"frequency": "W"},
            r"2020-02-01 \(line 3 .* does not fit the step weekly",
        ),
        (
            "date,y\n2020-01-01 00:00:00,1\n2020-01-01 00:00:01,1\n2021-01-01 00:00:00,2\n",
            {"frequency": "s"},
            "31622401 steps .*, and 3 rows; name a longer step",
        ),
        (
            "date,y\n2020-01-01,1\n2020-02-01,2\n2020-04-01,2\n",
            {"frequency": "D"},
            r"is monthly \(MS\), and --freq D leaves steps without a row between all rows; leave it out",
        ),
        (
            "date,y\n2023-03-25T00:00+01:00,1\n2023-03-26T00:00+01:00,1\n2023-03-27T00:00+02:00,2\n"
            "2023-03-28T00:00+02:00,2\n",
            {},
            "does not fit the step every 24 hours .* name it with --zone",
        ),
        ("id,date,y\na,2020-01-01,1\n,2020-01-02,1\n", {"named": {"ids": ("id",)}}, "column id has no id at line 3"),
        (
            "id,date,y\na,2020-01-01,1\na,2020-01-02,1\nb,2020-01-01,\nb,2020-01-02,\n",
            {},
            "y of series b .* has no value",
        ),
        (daily(["", "", ""]), {"named": {"targets": ("y",)}}, "column y in data.csv has no value; fill it in"),
        (
            "date,y,r\n2020-01-01,1,n\n2020-01-02,1,s\n",
            {"named": {"static": ("r",)}},
            r"static column r changes from n to s at 2020-01-02 \(line 3",
        ),
        (
            "id,date,y,r\n" + "".join(f"{n},2020-01-0{day},1,r{n}\n" for n in range(1001) for day in (1, 2)),
            {"named": {"static": ("r",)}},
            "static column r of data.csv has 1001 categories, and at most 1000 can be learned: join the rare ones",
        ),
        (
            "date,y,p\n2020-01-01,1,5\n2020-01-02,1,low\n",
            {"named": {"known": ("p",)}},
            "column p has the text 'low' at line 3",
        ),
        ("date,y,p\n2020-01-01,1,5\n2020-01-02,1,inf\n", {"named": {"past": ("p",)}}, "column p has an infinite value"),
        ("date,y\n2020-01-01,1\n", {"frequency": "never"}, "there is no frequency never; name one of YS"),
    ],
)
def test_faults_are_named(tmp_path, text, options, message):
    with pytest.raises(RunError, match=message) as found:
        panel_from(tmp_path, text, **options)
    assert "\n" not in str(found.value)


def test_faults_of_a_series_name_it(tmp_path):
    rows = [(name, month, number) for name in "ab" for number, month in enumerate(M)]
    rows[11] = ("b", M[3], "inf")
    with pytest.raises(RunError, match=r"infinite value at series b, 2020-04-01 \(line 13 of data.csv\)"):
        panel_from(tmp_path, csv_text("id,date,y", *rows))


@pytest.mark.parametrize("values", [[0] * 5, [7] * 5, [0, 0, 1, 0, 0], [1e12, 2e12, 3e12], [1e-12, 2e-12, 3e-12]])
def test_values_that_are_odd_and_right(tmp_path, values):
    panel, _ = panel_from(tmp_path, daily(values))
    assert panel.target[0].tolist() == values


def test_many_series_of_frames():
    names, steps = np.repeat(np.arange(1000), 30), np.tile(np.arange(30), 1000)
    table = table_of({"unique_id": names, "ds": steps, "y": names * 100.0 + steps})
    panel = panel_of(table, guess_format(table))
    assert len(panel) == 1000
    assert all(values.tolist() == list(range(100 * n, 100 * n + 30)) for n, values in enumerate(panel.target))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), min_size=3, unique=True), st.randoms())
def test_rows_land_where_their_time_says(rows, random):
    rows += [("d", 0), ("d", 1)]  # as steps without a row between all rows are refused
    random.shuffle(rows)
    values = np.arange(1.0, len(rows) + 1)
    days = np.array([np.datetime64("2020-01-01", "D") + day for _, day in rows])
    table = table_of({"id": [name for name, _ in rows], "ds": days, "y": values})
    form = guess_format(table, frequency="D")
    panel = panel_of(table, form)
    first = form.frequency.positions([np.datetime64("2020-01-01", "us")])[0]
    found = {
        (panel.ids[number], int(start + step - first)): value
        for number, (start, series) in enumerate(zip(panel.starts, panel.target, strict=True))
        for step, value in enumerate(series)
        if value == value
    }
    given_rows = zip(rows, values, strict=True)
    assert found == {(name if form.ids else "", day): value for (name, day), value in given_rows}


def test_length():
    panel = make_panel([np.arange(5.0), np.arange(3.0)], Frequency("MS"), ids=["a", "b"])
    check_length(panel, 1)
    with pytest.raises(RunError, match=r"longest series, a, has 5 steps .* horizon of 6 needs 10: .* --horizon 1"):
        check_length(panel, 6)
    with pytest.raises(
        RunError, match=r"^the series has 3 steps \(monthly \(MS\)\); .* 2 needs 6: give a longer history$"
    ):
        check_length(make_panel([np.arange(3.0)], Frequency("MS")), 2)


@pytest.mark.parametrize(("value", "shown"), [(-1, "-1"), (0.5, "0.5")])
def test_counts(value, shown):
    check_counts(make_panel([np.array([0, 1, NAN])], Frequency("MS")))
    with pytest.raises(RunError, match=f"series b has {shown} at 1970-03-01, and counts are whole numbers from 0"):
        check_counts(make_panel([np.array([0, 1, value])], Frequency("MS"), ids=["b"]))
