"""Frames of pandas, polars and others as tables, and tables as frames of the same kind; by narwhals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.table import NumberColumn, Table, TextColumn, TimeColumn, length_of, text_column

if TYPE_CHECKING:
    from recurra.series.table import AnyColumn

_INDICES = ("DatetimeIndex", "PeriodIndex", "MultiIndex")


def table_of(frame: Any, source: str = "the frame") -> Table:
    """The table of a frame or a series of pandas, polars or any library that narwhals knows.

    An index of times or of several levels, or one with a name, as pandas has, becomes a column.

    Args:
        frame: the frame; a :class:`Table` is returned as it is, and a mapping of names to arrays or lists is taken too.
        source: its name in messages. Default ``"the frame"``.

    Raises:
        RunError: it is no frame, two columns have one name, or narwhals is not installed.
    """
    if isinstance(frame, Table):
        return frame
    if isinstance(frame, Mapping):
        return _checked({str(name): _plain(values) for name, values in frame.items()}, source)
    nw = _narwhals()
    if _has_columns_as_index(frame):
        frame = frame.reset_index()
    try:
        own = nw.from_native(frame, allow_series=True)
    except TypeError:
        raise RunError(
            f"{source} is a {type(frame).__name__}; a table or a frame of pandas or polars is needed"
        ) from None
    except (ValueError, nw.exceptions.NarwhalsError) as error:
        raise RunError(f"{source} cannot be read: {one_line(str(error))}") from None
    if isinstance(own, nw.LazyFrame):
        own = own.collect()
    if isinstance(own, nw.Series):
        own = (own if own.name else own.alias("value")).to_frame()
    return _checked({str(series.name): _column(series, nw, source) for series in own.iter_columns()}, source)


def table_of_parquet(path: Path) -> Table:
    """The table of a Parquet file.

    Raises:
        RunError: the file cannot be read, or pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise RunError(f'{path} needs pyarrow; run: pip install "recurra[parquet]"') from None
    try:
        return table_of(parquet.read_table(path), path.name)
    except (OSError, ArrowException) as error:
        raise RunError(f"{path} cannot be read: {one_line(str(error))}") from None


def frame_of(table: Table, like: Any) -> Any:
    """A table as a frame of the library of another frame; for a :class:`Table` or a mapping of arrays, as such.

    Args:
        table: the table.
        like: a frame of the wanted library.
    """
    if isinstance(like, Table):
        return table
    if isinstance(like, Mapping):
        return {name: _values(column) for name, column in table.columns.items()}
    nw = _narwhals()
    backend = nw.get_native_namespace(nw.from_native(like, allow_series=True))
    own = nw.from_dict({name: _values(column) for name, column in table.columns.items()}, backend=backend)
    zoned = {
        name: column.zone
        for name, column in table.columns.items()
        if isinstance(column, TimeColumn) and column.zone is not None
    }
    for name, zone in zoned.items():
        times = nw.col(name).dt.replace_time_zone("UTC")
        own = own.with_columns(times if zone == "UTC" else times.dt.convert_time_zone(zone))
    return nw.to_native(own)


def _narwhals() -> Any:
    try:
        import narwhals
    except ImportError:
        raise RunError('frames need narwhals; run: pip install "recurra[series]"') from None
    return narwhals


def _has_columns_as_index(frame: Any) -> bool:
    """Whether a frame of pandas has times, ids or anything that has a name in its index."""
    index = getattr(frame, "index", None)
    if type(index).__name__ in _INDICES:
        return True
    name = getattr(index, "name", None)
    return name is not None and name not in getattr(frame, "columns", [])


def _checked(columns: dict[str, AnyColumn], source: str) -> Table:
    table = Table(columns, source)
    if not columns or not len(table):
        raise RunError(f"{source} has no rows")
    lengths = {name: length_of(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        first, other = next(iter(lengths)), next(name for name in lengths if lengths[name] != len(table))
        raise RunError(
            f"columns {one_line(first, 60)} and {one_line(other, 60)} of {source} have {len(table)} and "
            f"{lengths[other]} rows; a column must have a value for each row"
        )
    return table


def _plain(values: Any) -> AnyColumn:
    """The column of an array or a list."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise RunError(f"a column must have one dimension; got {array.shape}")
    if array.dtype.kind == "M":
        return TimeColumn(array.astype("datetime64[us]").astype(np.int64), None)
    if array.dtype.kind in "biuf":
        return NumberColumn(array.astype(np.float64), array.dtype.kind in "biu")
    return text_column("" if value is None else str(value) for value in array.tolist())


def _column(series: Any, nw: Any, source: str) -> AnyColumn:
    """The column of one series of narwhals."""
    kind = series.dtype
    if kind == nw.Date:
        series, kind = series.cast(nw.Datetime("us")), nw.Datetime("us")
    if isinstance(kind, nw.Datetime) or kind == nw.Datetime:
        missing = series.is_null()
        if missing.any():
            row = int(np.flatnonzero(missing.to_numpy())[0])
            raise RunError(f"column {one_line(str(series.name), 60)} of {source} has no time at row {row}")
        return TimeColumn(series.dt.timestamp("us").cast(nw.Int64).to_numpy().astype(np.int64), _zone(kind))
    if kind == nw.Boolean or kind.is_numeric():
        whole = kind == nw.Boolean or kind.is_integer()
        numbers = np.array(series.cast(nw.Float64).to_numpy(), np.float64)
        return NumberColumn(numbers, bool(whole))
    return text_column("" if value is None or value != value else str(value) for value in series.to_list())


def _zone(kind: Any) -> str | None:
    zone = getattr(kind, "time_zone", None)
    return None if zone is None else str(zone)


def _values(column: AnyColumn) -> Any:
    """The values of a column, as the constructors of frames take them."""
    if isinstance(column, TextColumn):
        return [column.texts[code] for code in column.codes.tolist()]
    if isinstance(column, TimeColumn):
        return column.utc.view("datetime64[us]")
    whole = column.whole and bool(np.isfinite(column.numbers).all())
    return column.numbers.astype(np.int64) if whole else column.numbers
