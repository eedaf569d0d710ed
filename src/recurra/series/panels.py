"""A table as a :class:`Panel`: on the grid, checked, with what is missing left missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.columns import NamedColumns
from recurra.series.detection import IrregularTimesError, clock_text, fit
from recurra.series.grouping import Grouped, group_rows
from recurra.series.inputs import known_values, static_numbers
from recurra.series.panel import Panel
from recurra.series.table import Table, listed, numbers_of
from recurra.series.times import read_time_column
from recurra.series.zones import local_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.frequency import Frequency
    from recurra.series.table_format import TableFormat

OnGap = Literal["fill", "error"]
Note = Callable[[str], None]
HUGE = 1e300  # the largest number that is taken
_MOST_STEPS = 50  # of a grid for each row


@dataclass(frozen=True, eq=False)
class _Grid:
    """The steps of all groups, one after the other.

    Attributes:
        starts: int64 (groups,), the position of each group's first row.
        lengths: int64 (groups,), the steps from its first row to its last.
        offsets: int64 (groups,), the place of its first step among all steps.
        places: int64 (rows,), the place of each sorted row.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]
    places: NDArray[np.int64]

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the sorted rows on the grid: float64 (steps, …), NaN where there is no row."""
        steps = np.full((int(self.lengths.sum()), *values.shape[1:]), np.nan)
        steps[self.places] = values
        return steps


def panel_of(table: Table, form: TableFormat, on_gap: OnGap = "fill", note: Note = lambda text: None) -> Panel:
    """Put a table's series on their grid.

    A series begins with its first observation and ends with its last. Rows after that, in which the target is empty,
    are steps ahead: their known inputs are kept. Rows that are missing in between stay missing (NaN), as do empty
    values.

    Args:
        table: the table.
        form: the meaning of its columns.
        on_gap: ``"error"`` refuses missing rows and values of the target. Default ``"fill"``: they are NaN.
        note: called with each thing that the user should know, as one line. Default: nothing is said.

    Raises:
        RunError: the table has a fault; the message has column, series, time, line, and the remedy.
    """
    grouped = rows_of(table, form)
    if not grouped.was_sorted:
        note(f"the rows of {table.source} were sorted by time")
    if unused := [name for name in table.columns if name not in form.columns]:
        note(f"not used: {listed(unused)}; name columns that help with --known, --past or --static")
    grid = _grid_of(grouped, form.frequency)
    columns = [grid.spread(_checked(grouped, form, name)) for name in form.targets]
    known = grid.spread(_known(grouped, form, note))
    past = grid.spread(_stacked([_checked(grouped, form, name) for name in form.past], len(grouped.rows)))
    static = static_numbers(grouped, form, note)
    stretches = [
        _stretch(grid, group, values, target if form.is_wide else name, target, table)
        for group, name in enumerate(grouped.ids)
        for target, values in zip(form.targets, columns, strict=True)
    ]
    panel = Panel(
        ids=tuple(stretch.title for stretch in stretches),
        starts=np.array([stretch.start for stretch in stretches], np.int64),
        target=tuple(stretch.target for stretch in stretches),
        known=tuple(known[stretch.inner.start : stretch.end] for stretch in stretches),
        past=tuple(past[stretch.inner] for stretch in stretches),
        static=static[[stretch.group for stretch in stretches]],
        frequency=form.frequency,
    )
    has_row = np.zeros(int(grid.lengths.sum()), np.bool_)
    has_row[grid.places] = True
    _say_what_is_missing(panel, [has_row[stretch.inner] for stretch in stretches], form, on_gap, note)
    return panel


@dataclass(frozen=True, eq=False)
class _Stretch:
    """A series on the grid: `inner` from its first observation to its last, `end` that of its group's steps."""

    title: str
    group: int
    start: int
    target: NDArray[np.float64]
    inner: slice
    end: int


def _stretch(grid: _Grid, group: int, values: NDArray[np.float64], title: str, target: str, table: Table) -> _Stretch:
    begin = int(grid.offsets[group])
    end = begin + int(grid.lengths[group])
    seen = np.flatnonzero(~np.isnan(values[begin:end]))
    if not seen.size:
        series = f" of series {one_line(title, 60)}" if title and title != target else ""
        raise RunError(
            f"column {one_line(target, 60)}{series} in {table.source} has no value; fill it in, or remove it"
        )
    inner = slice(begin + int(seen[0]), begin + int(seen[-1]) + 1)
    return _Stretch(title, group, int(grid.starts[group] + seen[0]), values[inner], inner, end)


def rows_of(table: Table, form: TableFormat) -> Grouped:
    """The rows of a table by series and time.

    Raises:
        RunError: a column is not there, a row is no time, has no id, or is there twice.
    """
    for name in form.columns:
        table.column(name)
    zone = form.frequency.zone
    read = None if form.time is None else read_time_column(table, form.time, form.time_pattern, zone)
    if read is not None and read.is_step != form.frequency.is_step:
        raise RunError(
            f"time column {one_line(form.time or '', 60)} of {table.source} has "
            f"{'whole numbers' if read.is_step else 'dates'}, and the frequency is {form.frequency}"
        )
    if read is not None and read.zone is not None and zone is None:
        raise RunError(
            f"time column {one_line(form.time or '', 60)} of {table.source} has times of the zone {read.zone}, and the "
            "model was trained on times without one: leave the zone out"
        )
    return group_rows(table, NamedColumns(form.time, form.targets, form.ids), read)


def _grid_of(grouped: Grouped, frequency: Frequency) -> _Grid:
    try:
        positions = fit(frequency, grouped.times)
    except IrregularTimesError as error:
        raise grouped.irregular(error) from None
    series = grouped.times.series
    begins = np.searchsorted(series, np.arange(len(grouped.ids)))
    ends = np.searchsorted(series, np.arange(len(grouped.ids)), side="right") - 1
    starts = positions[begins]
    lengths = positions[ends] - starts + 1
    if lengths.sum() > _MOST_STEPS * len(positions) + 1000:
        longest = int(np.argmax(lengths))
        raise RunError(
            f"irregular spacing: from {grouped.place(int(begins[longest]))} to {grouped.place(int(ends[longest]))} "
            f"there are {lengths[longest]} steps ({frequency}), and {ends[longest] - begins[longest] + 1} rows; name "
            "a longer step with --freq"
        )
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return _Grid(starts, lengths, offsets, offsets[series] + positions - starts[series])


def _checked(grouped: Grouped, form: TableFormat, name: str) -> NDArray[np.float64]:
    """The numbers of a column in the order of sorted rows."""
    values = numbers_of(grouped.table, name)[grouped.rows]
    wrong = np.flatnonzero(np.abs(values) > HUGE)
    if wrong.size:
        row = int(wrong[0])
        shown = "an infinite value" if np.isinf(values[row]) else f"the huge value {values[row]:g}"
        raise RunError(
            f"column {one_line(name, 60)} has {shown} at {grouped.place(row)}; repair it, or leave it empty if it is "
            "missing"
        )
    return values


def _known(grouped: Grouped, form: TableFormat, note: Note) -> NDArray[np.float64]:
    """The known inputs of sorted rows: float64 (rows, features)."""
    columns = []
    for name, categories in zip(form.known, form.known_categories, strict=True):
        if categories:
            columns.append(known_values(grouped, name, categories, note))
        else:
            columns.append(_checked(grouped, form, name)[:, None])
    return np.concatenate(columns, 1) if columns else np.zeros((len(grouped.rows), 0))


def _stacked(columns: list[NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
    return np.stack(columns, 1) if columns else np.zeros((rows, 0))


def _say_what_is_missing(
    panel: Panel, rows: list[NDArray[np.bool_]], form: TableFormat, on_gap: OnGap, note: Note
) -> None:
    """Note how many rows and values are missing inside of series, or refuse the first."""
    gaps = np.array([len(own) - int(own.sum()) for own in rows])
    empty = np.array([int(np.isnan(values).sum()) for values in panel.target]) - gaps
    for counts, what in ((gaps, "row"), (empty, "value")):
        if not counts.any():
            continue
        first = int(np.flatnonzero(counts)[0])
        lacking = ~rows[first] if what == "row" else np.isnan(panel.target[first]) & rows[first]
        when = time_text(panel.frequency, int(panel.starts[first] + np.flatnonzero(lacking)[0]))
        of = (
            f"series {one_line(panel.ids[first], 60)}"
            if panel.ids[first]
            else f"column {one_line(form.targets[0], 60)}"
        )
        if on_gap == "error":
            raise RunError(f"{of} has no {what} for {when}; add it, or leave gaps missing with --on-gap fill")
        others = f" and of {(counts > 0).sum() - 1} other series" if (counts > 0).sum() > 1 else ""
        number = int(counts.sum())
        left = "is" if number == 1 else "are"
        note(
            f"{number} missing {what}{'' if number == 1 else 's'} of {of}{others} {left} left missing, the first at "
            f"{when}"
        )


def time_text(frequency: Frequency, position: int) -> str:
    """The time of a position for messages: a date, with the time of day unless it is midnight."""
    time = frequency.times([position]).astype(np.int64)
    return str(time[0]) if frequency.is_step else clock_text(int(local_of(time, frequency.zone)[0]))
