"""Rows of a table by series and time: sorted, without a time that a series has twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.columns import NamedColumns
from recurra.series.detection import IrregularTimesError, SortedTimes, shown_time
from recurra.series.table import Table, TimeColumn, texts_of
from recurra.series.zones import DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.times import ReadTimes

JOINT = " / "  # between the parts of an id of several columns


@dataclass(frozen=True, eq=False)
class Grouped:
    """The rows of a table by series and time.

    Attributes:
        table: the table.
        ids: the name of each series; one empty name where there is no column of ids.
        rows: int64 (rows,), the rows of the table in the order of series and time.
        times: the times of the sorted rows.
        was_sorted: whether each series' rows were in the order of time.
    """

    table: Table
    ids: tuple[str, ...]
    rows: NDArray[np.int64]
    times: SortedTimes
    was_sorted: bool

    def place(self, row: int) -> str:
        """The words for a sorted row: its series, time, and line of the file."""
        name = self.ids[int(self.times.series[row])]
        series = f"series {one_line(name, 60)}, " if name else ""
        return f"{series}{shown_time(self.times, row)} ({self.table.place(int(self.rows[row]))} of {self.table.source})"

    def irregular(self, error: IrregularTimesError) -> RunError:
        """The error about spacing, with the place of the row and ways to go on."""
        if error.row < 0:
            return RunError(str(error))
        by_hours = self.times.zone == "UTC" and (self.times.utc % DAY != 0).any()
        zone = "; if days begin by the clocks of a zone, name it with --zone" if by_hours else ""
        return RunError(
            f"irregular spacing: {self.place(error.row)} does not fit {error}; repair or remove the row, or name "
            f"another step with --freq{zone}"
        )


def group_rows(table: Table, columns: NamedColumns, read: ReadTimes | None) -> Grouped:
    """Sort the rows of a table.

    Args:
        table: the table.
        columns: the columns of ids and their like.
        read: the times; None where the rows of a series are its steps.

    Raises:
        RunError: an id is missing, or a series has a time twice.
    """
    ids, series = _series(table, columns.ids)
    if read is None:
        order = np.argsort(series, kind="stable")
        begins = np.searchsorted(series[order], np.arange(len(ids)))
        sorted_series = series[order]
        times = SortedTimes(np.arange(len(order)) - begins[sorted_series], sorted_series, is_step=True)
        return Grouped(table, ids, order, times, True)
    utc = read.utc(series)
    same = np.diff(series) == 0
    if (np.diff(series) >= 0).all() and (np.diff(utc)[same] > 0).all():
        order = np.arange(len(utc))
    else:
        order = np.lexsort((utc, series))
    first_seen = np.argsort(series, kind="stable")
    was_sorted = bool((np.diff(utc[first_seen])[np.diff(series[first_seen]) == 0] > 0).all())
    grouped = Grouped(table, ids, order, SortedTimes(utc[order], series[order], read.zone, read.is_step), was_sorted)
    _check_twice(grouped, columns)
    return grouped


def _series(table: Table, names: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The ids of series and the number of each row's series."""
    if not names:
        return ("",), np.zeros(len(table), np.int64)
    codes, texts = np.zeros(len(table), np.int64), [""]
    for name in names:
        column = table.column(name, "id column")
        if isinstance(column, TimeColumn):
            raise RunError(f"column {one_line(name, 60)} has times, and cannot be an --id")
        own = texts_of(column)
        if "" in own.texts and (own.codes == own.texts.index("")).any():
            row = int(np.flatnonzero(own.codes == own.texts.index(""))[0])
            raise RunError(
                f"column {one_line(name, 60)} has no id at {table.place(row)} of {table.source}; write one, or remove "
                "the row"
            )
        if len(names) > 1 and any(JOINT in text for text in own.texts):
            raise RunError(f"ids of several columns must not have '{JOINT}' in them; column {one_line(name, 60)} has")
        unique, joined = np.unique(codes * len(own.texts) + own.codes, return_inverse=True)
        parts = [divmod(key, len(own.texts)) for key in unique.tolist()]
        texts = [f"{texts[left]}{JOINT if texts[left] else ''}{own.texts[right]}" for left, right in parts]
        codes = joined.reshape(-1).astype(np.int64)
    return tuple(texts), codes


def _check_twice(grouped: Grouped, columns: NamedColumns) -> None:
    times = grouped.times
    twice = np.flatnonzero((np.diff(times.utc) == 0) & (np.diff(times.series) == 0))
    if not twice.size:
        return
    row = int(twice[0])
    other = grouped.table.place(int(grouped.rows[row + 1]))
    more = f", and {twice.size - 1} more" if twice.size > 1 else ""
    tell = "" if columns.ids else "; if there are several series, name the column that tells them apart with --id"
    by_hours = times.zone is None and not times.is_step and (times.utc % DAY != 0).any()
    zone = "; if clocks were put back, name --zone" if by_hours else ""
    raise RunError(
        f"a time is there twice: {grouped.place(row)}, and again at {other}{more}; remove one of them{tell}{zone}"
    )
