"""Tables from files: delimiters, decimal commas, quotes, gzip, Parquet, and files that are no tables."""

import gzip

import numpy as np
import polars
import pytest

from recurra.errors import RunError
from recurra.series import reading
from recurra.series.reading import read_table
from recurra.series.table import NumberColumn, TextColumn, TimeColumn, numbers_of, texts_of
from tests.series.tables import read_text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path, delimiter):
    table = read_text(tmp_path, f"date{delimiter}y\n2020-01-01{delimiter}1.5\n2020-01-02{delimiter}-2e3\n")
    assert list(table.columns) == ["date", "y"]
    assert numbers_of(table, "y").tolist() == [1.5, -2000]
    assert [table.place(0), table.place(1)] == ["line 2", "line 3"]


def test_decimal_commas(tmp_path):
    table = read_text(tmp_path, "Datum;Wert\n31.12.2020;1,5\n01.01.2021;-2\n02.01.2021;\n")
    np.testing.assert_array_equal(numbers_of(table, "Wert"), [1.5, -2, np.nan])


def test_quotes_blank_lines_and_line_numbers(tmp_path):
    table = read_text(tmp_path, 'id,y\r\n"a, ""b""",1\r\n\r\n"two\r\nlines",2\r\nc,3,\r\n')
    column = table.column("id")
    assert [column.texts[code] for code in column.codes] == ['a, "b"', "two\r\nlines", "c"]
    assert table.lines.tolist() == [2, 5, 6]


def test_a_byte_order_mark_and_gzip(tmp_path):
    for name, opened in (("data.csv", open), ("data.csv.gz", gzip.open)):
        with opened(tmp_path / name, "wt", encoding="utf-8-sig") as file:
            file.write("größe,y\nä,1\n")
        table = read_table(tmp_path / name)
        assert list(table.columns) == ["größe", "y"]
        assert table.column("größe").texts == ["ä"]


def test_missing_values_and_columns_without_a_name(tmp_path):
    table = read_text(tmp_path, ",y\n0,1\n1,NA\n2,\n3,null\n")
    assert list(table.columns) == ["column 1", "y"]
    np.testing.assert_array_equal(numbers_of(table, "y"), [1, np.nan, np.nan, np.nan])


def test_ids_keep_their_zeros(tmp_path):
    table = read_text(tmp_path, "id,n,y\n007,7,1\n010,10,2\n")
    assert isinstance(table.column("id"), TextColumn)
    assert texts_of(table.column("id")).texts == ["007", "010"]
    assert texts_of(table.column("n")).texts == ["7", "10"]


def test_a_column_that_turns_out_to_be_text(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_CHUNK", 2)
    table = read_text(tmp_path, "a,b\n1,1\n2,2\n3,x\n1,4\n")
    assert isinstance(table.column("a"), NumberColumn)
    column = table.column("b")
    assert [column.texts[code] for code in column.codes] == ["1", "2", "x", "4"]


def test_a_text_among_numbers_is_refused_with_its_row(tmp_path):
    table = read_text(tmp_path, "a,b\n1,1\n2,twelve\n")
    with pytest.raises(RunError, match=r"column b has the text 'twelve' at line 3 of data.csv; write a number"):
        numbers_of(table, "b")


def test_parquet(tmp_path):
    times = polars.datetime_range(polars.datetime(2020, 1, 1), polars.datetime(2020, 1, 1, 2), "1h", eager=True)
    frame = polars.DataFrame({"ds": times.dt.replace_time_zone("UTC"), "id": ["a", "b", None], "y": [1, None, 3]})
    frame.write_parquet(tmp_path / "data.parquet")
    table = read_table(tmp_path / "data.parquet")
    assert isinstance(table.column("ds"), TimeColumn)
    assert table.column("ds").zone == "UTC"
    assert np.diff(table.column("ds").utc).tolist() == [3_600_000_000] * 2
    np.testing.assert_array_equal(numbers_of(table, "y"), [1, np.nan, 3])
    assert (table.source, table.place(1)) == ("data.parquet", "row 1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; a table needs a line of column names"),
        (b"date,y\n", "has column names and no rows"),
        (b"2020-01-01,1\n2020-01-02,2\n", "has no column names: its first line is '2020-01-01,1'"),
        (
            b"date,y\n2020-01-01,1\n2020-01-02,2,3\n",
            "line 3 of data.csv has 3 fields, and its first line names 2 columns",
        ),
        (b"date,y,y\n2020-01-01,1,2\n", "has two columns named y"),
        (b"date,y\n\xff\xfe,1\n", "is no UTF-8 text"),
        (b"a\0b", "is no text"),
    ],
)
def test_files_that_are_no_tables(tmp_path, content, message):
    (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(RunError, match=message) as found:
        read_table(tmp_path / "data.csv")
    assert "\n" not in str(found.value)


def test_files_that_cannot_be_read(tmp_path):
    contents = {"none.csv": None, "bad.csv.gz": b"date", "bad.parquet": b"date", "none.parquet": None}
    for name, content in contents.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(RunError, match="cannot be read"):
            read_table(tmp_path / name)


def test_words_for_missing_values_may_be_names(tmp_path):
    table = read_text(tmp_path, "country,y\nNA,1\nNA,NA\n")
    assert texts_of(table.column("country")).texts == ["NA"]
    table = read_text(tmp_path, "y,z\nNA,1\nNA,2\n")
    assert np.isnan(numbers_of(table, "y")).all()


def test_a_long_field_takes_no_more_memory_than_its_own(tmp_path):
    table = read_text(tmp_path, "note,y\n" + "x" * 900_000 + ",1\n" + "short,2\n" * 3000)
    assert table.column("note").texts[1] == "short"


def test_names_of_more_digits_than_a_number_has_stay_as_they_are(tmp_path):
    table = read_text(tmp_path, "id,y,t\n12345678901234567890,1,1600000000000000\n12345678901234567891,2,1\n")
    assert texts_of(table.column("id")).texts == ["12345678901234567890", "12345678901234567891"]
    assert isinstance(table.column("t"), NumberColumn)
