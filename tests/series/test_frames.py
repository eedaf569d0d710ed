"""Frames in, frames of the same kind out."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recurra.errors import RunError
from recurra.series.frames import frame_of, table_of
from recurra.series.table import NumberColumn, TextColumn, TimeColumn, numbers_of

DAYS = pd.date_range("2020-03-28", periods=4, tz="Europe/Berlin")
FRAME = {"id": ["a", "a", "b", "b"], "ds": DAYS, "y": [1.5, 2.5, 3.5, 4.5], "n": [1, 2, 3, 4]}


def kinds():
    pandas = pd.DataFrame(FRAME)
    polars = pl.DataFrame({**FRAME, "ds": pl.Series(DAYS.tz_convert("UTC").tz_localize(None).to_numpy())}).with_columns(
        pl.col("ds").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
    )
    return {"pandas": pandas, "polars": polars, "lazy": polars.lazy(), "pyarrow": pa.Table.from_pandas(pandas)}


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "pyarrow"])
def test_frames_are_tables(kind):
    table = table_of(kinds()[kind])
    assert [type(column) for column in table.columns.values()] == [TextColumn, TimeColumn, NumberColumn, NumberColumn]
    assert table.column("ds").zone == "Europe/Berlin"
    assert (np.diff(table.column("ds").utc) // 3_600_000_000).tolist() == [24, 23, 24]
    assert numbers_of(table, "y").tolist() == FRAME["y"]
    assert table.place(2) == "row 2"


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_tables_are_frames_of_the_same_kind(kind):
    frame = kinds()[kind]
    back = frame_of(table_of(frame), frame)
    assert type(back) is type(frame)
    if kind == "pandas":
        pd.testing.assert_frame_equal(back, frame, check_dtype=False)
    elif kind == "polars":
        assert back.equals(frame.with_columns(pl.col("ds").dt.cast_time_unit("us")))
    else:
        assert back["n"].to_pylist() == [1, 2, 3, 4]


def test_an_index_of_times_is_a_column():
    by_time = pd.Series([1, 2, 3], pd.date_range("2020-01-31", periods=3, freq="ME"), name="air")
    table = table_of(by_time)
    assert list(table.columns) == ["index", "air"]
    assert isinstance(table.column("index"), TimeColumn)
    periods = pd.DataFrame({"y": [1, 2]}, pd.period_range("2020-01", periods=2, freq="M"))
    assert table_of(periods).column("index").texts == ["2020-01", "2020-02"]


def test_other_values():
    frame = pd.DataFrame({"flag": [True, False], "text": ["x", None], "whole": pd.array([1, None], "Int64")})
    table = table_of(frame)
    assert numbers_of(table, "flag").tolist() == [1, 0]
    assert table.column("text").texts == ["x", ""]
    np.testing.assert_array_equal(numbers_of(table, "whole"), [1, np.nan])


def test_mappings_of_arrays():
    given = {"t": np.arange("2020-01", "2020-03", dtype="datetime64[M]"), "y": [1, 2], "id": ["a", None]}
    table = table_of(given)
    back = frame_of(table, given)
    assert back["t"].astype("datetime64[M]").astype(str).tolist() == ["2020-01", "2020-02"]
    assert (back["y"].tolist(), back["id"]) == ([1, 2], ["a", ""])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([1, 2], "the frame is a list; a table or a frame of pandas or polars is needed"),
        (pd.DataFrame({"y": []}), "the frame has no rows"),
        (pd.DataFrame({"ds": pd.to_datetime(["2020-01-01", None])}), "column ds of the frame has no time at row 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the frame cannot be read"),
        ({"y": np.ones((2, 2))}, "one dimension"),
    ],
)
def test_frames_that_are_no_tables(frame, message):
    with pytest.raises(RunError, match=message):
        table_of(frame)


def test_what_to_install_is_said(tmp_path):
    (tmp_path / "data.parquet").write_bytes(b"")
    code = (
        "import sys; sys.modules['narwhals'] = sys.modules['pyarrow'] = None\n"
        "from recurra.series.frames import table_of\n"
        "from recurra.series.reading import read_table\n"
        "for call in (lambda: table_of([1]), lambda: read_table(sys.argv[1])):\n"
        "    try: call()\n"
        "    except ValueError as error: print(error)\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "data.parquet")]
    lines = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == 'frames need narwhals; run: pip install "recurra[series]"'
    assert lines[1].endswith('data.parquet needs pyarrow; run: pip install "recurra[parquet]"')


def test_an_index_with_names_is_columns():
    columns = {"unique_id": list("aabb"), "ds": pd.to_datetime(["2020-01-01", "2020-01-02"] * 2), "y": [1, 2, 3, 4]}
    frame = pd.DataFrame(columns)
    assert list(table_of(frame.set_index(["unique_id", "ds"])).columns) == ["unique_id", "ds", "y"]
    assert list(table_of(frame.set_index("unique_id")).columns) == ["unique_id", "ds", "y"]
    assert list(table_of(frame.set_index(pd.Index(range(4)))).columns) == ["unique_id", "ds", "y"]


def test_a_series_without_a_name():
    table = table_of(pd.Series([1.0, 2.0], index=pd.to_datetime(["2020-01-01", "2020-01-02"])))
    assert [type(column) for column in table.columns.values()] == [TimeColumn, NumberColumn]


def test_columns_of_other_lengths():
    with pytest.raises(RunError, match="columns a and b of the frame have 2 and 1 rows; a column must have a value"):
        table_of({"a": [1, 2], "b": [1]})
