"""The meaning of columns, by their names and by what is in them; more than one is refused with what to name."""

import pytest

from recurra.errors import RunError
from recurra.series.columns import NamedColumns, find_columns
from tests.series.tables import csv_text, months, read_text

M = months(6)


def found(folder, header, rows, **named):
    return find_columns(read_text(folder, csv_text(header, *rows)), NamedColumns(**named))


@pytest.mark.parametrize(
    ("header", "row", "time", "ids", "targets"),
    [
        ("Month,Passengers", lambda m, i: (m, i), "Month", (), ("Passengers",)),
        ("unique_id,ds,y", lambda m, i: ("a", m, i), "ds", ("unique_id",), ("y",)),
        ("y,other,when", lambda m, i: (i, i, m), "when", (), ("y",)),
        ("value", lambda m, i: (i,), None, (), ("value",)),
        ("year,spots", lambda m, i: (1700 + i, i), "year", (), ("spots",)),
        ("n,spots", lambda m, i: (i, i * i), "n", (), ("spots",)),
        ("note,date,sold", lambda m, i: ("fine", m, i), "date", (), ("sold",)),
        ("date,s1,s2,s3", lambda m, i: (m, i, i, i), "date", (), ("s1", "s2", "s3")),
        ("date,1,2,3", lambda m, i: (m, i, i, i), "date", (), ("1", "2", "3")),
        (
            "date,a,bb,ccc,d,e,f,g,h",
            lambda m, i: (m, *[i] * 8),
            "date",
            (),
            ("a", "bb", "ccc", "d", "e", "f", "g", "h"),
        ),
    ],
)
def test_columns_are_found(tmp_path, header, row, time, ids, targets):
    rows = [row(month, number) for number, month in enumerate(M)]
    columns = found(tmp_path, header, rows)
    assert (columns.time, columns.ids, columns.targets) == (time, ids, targets)


@pytest.mark.parametrize("ids", [["north", "south"], [1, 2], ["007", "008"]])
def test_the_column_that_tells_series_apart(tmp_path, ids):
    rows = [(name, month, number) for name in ids for number, month in enumerate(M)]
    assert found(tmp_path, "place,date,sold", rows).ids == ("place",)


def test_named_columns_win(tmp_path):
    rows = [(month, number, number % 2, "x") for number, month in enumerate(M)]
    columns = found(tmp_path, "date,y,promo,region", rows, targets=("promo",), known=("y",), static=("region",))
    assert (columns.targets, columns.known, columns.static) == (("promo",), ("y",), ("region",))


@pytest.mark.parametrize(
    ("header", "row", "named", "message"),
    [
        (
            "date,sold,price",
            lambda m, i: (m, i, i),
            {},
            "several columns of numbers, sold, price: name the one .* --target",
        ),
        ("date,sold,price", lambda m, i: (m, i, i), {}, "or all as a series each: --target sold,price"),
        ("date,end,y", lambda m, i: (m, m, i), {}, None),
        (
            "begin,end,y",
            lambda m, i: (m, m, i),
            {},
            "columns begin, end of data.csv all have times: name one with --time",
        ),
        ("date,y", lambda m, i: (m, i), {"targets": ("Y",)}, r"has no column Y; did you mean y\?"),
        ("date,y", lambda m, i: (m, i), {"known": ("promotion",)}, "has no column promotion; it has date, y"),
        (
            "date,y",
            lambda m, i: (m, i),
            {"known": ("y",), "targets": ("y",)},
            "column y can be only one of time, target",
        ),
        ("date,text", lambda m, i: (m, "x"), {}, "no column of numbers to forecast among text; name one with --target"),
        (
            "id,date,a,b",
            lambda m, i: (i, m, 1, 2),
            {"ids": ("id",), "targets": ("a", "b")},
            "name one --target, or no --id",
        ),
    ],
)
def test_more_than_one_meaning(tmp_path, header, row, named, message):
    rows = [row(month, number) for number, month in enumerate(M)]
    if message is None:
        assert found(tmp_path, header, rows, **named).time == "date"
        return
    with pytest.raises(RunError, match=message) as error:
        found(tmp_path, header, rows, **named)
    assert "\n" not in str(error.value)


def test_series_of_two_columns(tmp_path):
    rows = [(month, store, item, 1) for store in "ab" for item in "xy" for month in M]
    with pytest.raises(RunError, match=r"no one column tells the series apart: .* such as --id store,item"):
        found(tmp_path, "date,store,item,sold", rows)
    rows = [(month, store, store.upper(), 1) for store in "ab" for month in M]
    with pytest.raises(RunError, match="name the column of series, --id left or --id right"):
        found(tmp_path, "date,left,right,sold", rows)
