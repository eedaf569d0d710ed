"""The format of a table: columns, times and frequency, named by the user or found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.columns import NamedColumns, find_columns
from recurra.series.detection import IrregularTimesError, detect_frequency, fit, named_frequency, other_frequency
from recurra.series.grouping import Grouped, group_rows
from recurra.series.table import NumberColumn, Table, TextColumn, TimeColumn, numbers_of, texts_of
from recurra.series.table_format import TableFormat, TimeKind
from recurra.series.times import ReadTimes, read_time_column

if TYPE_CHECKING:
    from recurra.series.frequency import Frequency

SPARSE = 4  # a grid that was found has at most so many steps for each row
_MOST_CATEGORIES = 100  # of a known input
_MOST_STATIC = 1_000  # categories of a static column
_TRUTHS = {"true", "false"}


def guess_format(
    table: Table,
    named: NamedColumns | None = None,
    *,
    frequency: str | None = None,
    time_format: str | None = None,
    zone: str | None = None,
) -> TableFormat:
    """Find out what a table's columns mean, how its times are written, and the grid that they lie on.

    Args:
        table: the table.
        named: the columns that the user named. Default: all are found.
        frequency: the name of the frequency, as ``MS``. Default: found from the differences of times.
        time_format: the pattern of texts of times, as ``%d/%m/%Y``. Default: found from all rows.
        zone: the time zone, as ``Europe/Berlin``, of times without one. Default: the table's own.

    Raises:
        RunError: a column is not there, a row is no time or is there twice, times lie beside the grid, or more than one
            meaning is possible; the message says where, and what to name.
    """
    columns = find_columns(table, named or NamedColumns())
    read = None if columns.time is None else read_time_column(table, columns.time, time_format, zone)
    grouped = group_rows(table, columns, read)
    known = tuple(_categories(table, name) for name in columns.known)
    return TableFormat(
        frequency=_frequency(grouped, frequency),
        targets=columns.targets,
        time=columns.time,
        ids=columns.ids,
        known=columns.known,
        past=columns.past,
        static=columns.static,
        time_kind=time_kind(table, columns.time, read),
        time_pattern=None if read is None else read.pattern,
        whole_ids=tuple(
            isinstance(column := table.columns[name], NumberColumn) and column.whole for name in columns.ids
        ),
        known_categories=known,
        static_categories=tuple(_static_categories(table, name) for name in columns.static),
        trained_ids=grouped.ids if columns.ids else columns.targets if len(columns.targets) > 1 else (),
    )


def _frequency(grouped: Grouped, name: str | None) -> Frequency:
    times = grouped.times
    try:
        if name is not None:
            return _named(grouped, name)
        found = detect_frequency(times)
    except IrregularTimesError as error:
        raise grouped.irregular(error) from None
    positions = fit(found, times)
    ends = np.flatnonzero(np.diff(times.series, append=-1) != 0)
    begins = np.concatenate([[0], ends[:-1] + 1])
    cells = int((positions[ends] - positions[begins] + 1).sum())
    if cells > SPARSE * len(positions) + 10:
        widest = int(np.argmax(np.where(np.diff(times.series) == 0, np.diff(positions), 0)))
        raise RunError(
            f"irregular spacing: steps of {found} give {cells} steps, and only {len(positions)} of them have a row; "
            f"the widest gap follows {grouped.place(widest)}; name another step with --freq, or --freq {found.name} "
            "if it is right"
        )
    return found


def _named(grouped: Grouped, name: str) -> Frequency:
    """The frequency that the user named, unless the data have a longer step throughout."""
    frequency = named_frequency(name, grouped.times)
    found = other_frequency(grouped.times, frequency)
    if found is not None:
        raise RunError(
            f"{grouped.table.source} is {found}, and --freq {one_line(name, 40)} leaves steps without a row between "
            "all rows; leave it out"
        )
    return frequency


def time_kind(table: Table, name: str | None, read: ReadTimes | None) -> TimeKind:
    """The way in which times stand in a table: see :class:`TableFormat`.

    Args:
        table: the table.
        name: the time column; None if there is none.
        read: its times.
    """
    if name is None or read is None:
        return "none"
    column = table.columns[name]
    if isinstance(column, TimeColumn):
        return "clock" if read.by_clock else "time"
    return "text" if isinstance(column, TextColumn) else "number"


def _plain(table: Table, name: str) -> NumberColumn | TextColumn:
    column = table.column(name)
    if isinstance(column, TimeColumn):
        raise RunError(f"column {one_line(name, 60)} has times, and cannot be a category")
    return column


def _static_categories(table: Table, name: str) -> tuple[str, ...]:
    texts = _sorted_texts(texts_of(_plain(table, name)))
    if len(texts) > _MOST_STATIC:
        raise RunError(
            f"static column {one_line(name, 60)} of {table.source} has {len(texts)} categories, and at most "
            f"{_MOST_STATIC} can be learned: join the rare ones, or leave the column out"
        )
    return texts


def _sorted_texts(column: TextColumn) -> tuple[str, ...]:
    return tuple(sorted(text for text in column.texts if text))


def _categories(table: Table, name: str) -> tuple[str, ...]:
    """The categories of a known input; none if it has numbers or truths."""
    column = table.column(name)
    if not isinstance(column, TextColumn):
        numbers_of(table, name)
        return ()
    texts = _sorted_texts(texts_of(column))
    if {text.casefold() for text in texts} <= _TRUTHS or not texts:
        return ()
    if len(texts) > _MOST_CATEGORIES or any(_is_float(text) for text in texts):
        numbers_of(table, name)  # a text among numbers, or too many categories: the message has the row
    return texts


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
