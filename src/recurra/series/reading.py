"""Tables from files: CSV with any usual delimiter, gzipped or not, and Parquet."""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.column_reading import GrowingColumn
from recurra.series.frames import table_of_parquet
from recurra.series.table import Table, is_missing, listed
from recurra.series.time_shapes import patterns_of

if TYPE_CHECKING:
    from _csv import Reader

_DELIMITERS = ("\t", ";", "|", ",")
_SAMPLE = 64 * 1024  # characters from which the delimiter is found
_CHUNK = 20_000  # rows that are turned into arrays together
MAX_COLUMNS = 20_000
_MAX_FIELD = 1_000_000  # characters


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a table from a file.

    A CSV file is UTF-8 text with a line of column names; fields are divided by a comma, semicolon, tab or bar, which is
    found from its first lines. With another delimiter than the comma, numbers may have a decimal comma. A name that
    ends in ``.gz`` is unpacked as it is read. A name that ends in ``.parquet`` is read by pyarrow.

    Args:
        path: the file.

    Raises:
        RunError: the file cannot be read, is no such table, or a row has too few or too many fields; the message has
            the line.
    """
    path = Path(path)
    if path.suffix.casefold() in (".parquet", ".pq"):
        return table_of_parquet(path)
    try:
        with _opened(path) as file:
            return _read_csv(file, path.name)
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is no UTF-8 text (byte {error.start} of a part of it); save it as CSV UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise RunError(f"{path} cannot be read: {one_line(getattr(error, 'strerror', None) or str(error))}") from None
    except csv.Error as error:
        raise RunError(f"{path} is no table: {one_line(str(error))}") from None


def _opened(path: Path) -> IO[str]:
    if path.suffix.casefold() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_csv(file: IO[str], source: str) -> Table:
    sample = file.read(_SAMPLE)
    if "\0" in sample:
        raise RunError(f"{source} is no text; save it as CSV UTF-8")
    delimiter = _delimiter(sample)
    file.seek(0)
    csv.field_size_limit(_MAX_FIELD)
    rows = _rows(csv.reader(file, delimiter=delimiter, skipinitialspace=True))
    _, header = next(rows, (0, None))
    if header is None:
        raise RunError(f"{source} is empty; a table needs a line of column names and rows")
    names = _names(header, source)
    columns = [GrowingColumn(decimal_comma=delimiter != ",") for _ in names]
    lines = []
    while part := list(islice(rows, _CHUNK)):
        _check_width(part, len(names), source)
        lines.append(np.array([line for line, _ in part], np.int64))
        for column, fields in zip(columns, zip(*(row for _, row in part), strict=True), strict=True):
            column.extend(fields)
    if not lines:
        raise RunError(f"{source} has column names and no rows")
    made = {name: column.column() for name, column in zip(names, columns, strict=True)}
    return Table(made, source, np.concatenate(lines))


def _rows(reader: Reader) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with its line; of one over several lines, the last."""
    for row in reader:
        if row:
            yield reader.line_num, row


def _delimiter(sample: str) -> str:
    """The delimiter that gives most lines as many fields as the first, and the most fields of those that do so."""
    lines = sample.splitlines()
    lines = [line for line in (lines[:-1] if len(sample) == _SAMPLE else lines)[:200] if line.strip()]
    scores = []
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row]
        if widths and widths[0] > 1:
            scores.append((sum(width == widths[0] for width in widths), widths[0], delimiter))
    return max(scores)[2] if scores else ","


def _names(header: list[str], source: str) -> list[str]:
    """The names of columns; those without one are numbered."""
    if all(_is_value(field) for field in header):
        raise RunError(
            f"{source} has no column names: its first line is '{one_line(','.join(header), 60)}'; "
            "put a line such as date,value above it"
        )
    if len(header) > MAX_COLUMNS:
        raise RunError(f"{source} has {len(header)} columns; at most {MAX_COLUMNS} are read")
    names = [field.strip() or f"column {number}" for number, field in enumerate(header, 1)]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise RunError(f"{source} has two columns named {listed(twice, 3)}; give each another name")
    return names


def _is_value(field: str) -> bool:
    """Whether a field is a number or a time, as a column's name seldom is."""
    if not field.strip() or is_missing(field):
        return False
    try:
        float(field.replace(",", "."))
    except ValueError:
        return bool(patterns_of(field))
    return True


def _check_width(rows: list[tuple[int, list[str]]], width: int, source: str) -> None:
    """Cut empty fields off the ends of rows, and refuse rows that have too many or too few."""
    for line, row in rows:
        if len(row) > width and not any(field.strip() for field in row[width:]):
            del row[width:]
        if len(row) != width:
            raise RunError(
                f"line {line} of {source} has {len(row)} fields, and its first line names {width} columns; repair the "
                "line"
            )
