"""The meaning of columns: which is the time, the id and the target, by their names and by what is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.table import (
    NumberColumn,
    Table,
    TextColumn,
    TimeColumn,
    is_missing,
    length_of,
    listed,
    texts_of,
)
from recurra.series.times import date_pattern_of, looks_like_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIMES = (
    "ds", "date", "datetime", "timestamp", "time", "day", "week", "month", "quarter", "year", "hour", "period", "step",
    "t", "ts", "datum", "zeit", "jahr", "monat", "date_time", "valid_time", "epoch", "unix", "index",
)  # fmt: skip
_IDS = (
    "unique_id", "id", "series_id", "series", "item_id", "ts_id", "item", "key", "group", "name", "store", "symbol",
    "ticker", "sku", "product", "sensor", "station", "region", "country",
)  # fmt: skip
_TARGETS = ("y", "target", "value", "values", "sales", "demand", "count", "quantity", "load", "consumption")
WIDE = 8  # so many columns of numbers beside a time column are a series each
_NUMBERED = re.compile(r"(.*?)[ _.-]?(\d+|[A-Za-z])", re.ASCII)


@dataclass(frozen=True)
class NamedColumns:
    """The columns that the user named; nothing where they are to be found.

    Attributes:
        time: the column of times.
        targets: the columns to forecast.
        ids: the columns that tell series apart.
        known: inputs known ahead.
        past: inputs known up to the present.
        static: categories of a series.
    """

    time: str | None = None
    targets: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, in the order of the attributes."""
        time = () if self.time is None else (self.time,)
        return (*time, *self.targets, *self.ids, *self.known, *self.past, *self.static)


def find_columns(table: Table, named: NamedColumns) -> NamedColumns:
    """Find the columns that were not named.

    A column is found by its name (``ds``, ``date``, ``unique_id``, ``y`` and their like), else by what is in it. Where
    several columns of numbers are left, they are a series each if they are many or are named alike.

    Raises:
        RunError: a named column is not there or was named twice, or more than one column may be meant; the message has
            the options to name.
    """
    for name in named.all:
        table.column(name)
        if named.all.count(name) > 1:
            raise RunError(f"column {one_line(name, 60)} can be only one of time, target, id, known, past and static")
    free = [name for name in table.columns if name not in named.all]
    time = named.time
    if time is None:
        time = _time(table, free)
        free = [name for name in free if name != time]
    ids = named.ids
    if not ids and len(named.targets) < 2:
        ids = _ids(table, free, time)
        free = [name for name in free if name not in ids]
    if ids and len(named.targets) > 1:
        raise RunError("with several --target columns each is a series: name one --target, or no --id")
    targets = named.targets or _targets(table, free, has_ids=bool(ids), inputs=bool(named.known or named.past))
    return NamedColumns(time, targets, ids, named.known, named.past, named.static)


def _time(table: Table, free: Sequence[str]) -> str | None:
    """The time column: of times, else of texts that are dates, else of whole numbers that count; by name if any."""
    times = [name for name in free if isinstance(table.columns[name], TimeColumn)]
    dates = [name for name in free if _has_dates(table, name)]
    for fitting in (times, dates):
        if named := _by_name(fitting, _TIMES):
            return named
        if len(fitting) > 1:
            raise RunError(f"columns {listed(fitting)} of {table.source} all have times: name one with --time")
        if fitting:
            return fitting[0]
    if named := _by_name([name for name in free if _is_steps(table, name)], _TIMES):
        return named
    if len(free) > 1 and _counts(table, free[0]):
        return free[0]
    # A column of that name with texts that are no dates: reading it says which row is at fault.
    return _by_name([name for name in free if isinstance(table.columns[name], TextColumn)], _TIMES)


def _by_name(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The first of the wanted names that is among the names, in small letters or capitals; None if there is none."""
    return next((name for each in wanted for name in names if name.casefold() == each), None)


def _has_dates(table: Table, name: str) -> bool:
    column = table.columns[name]
    return isinstance(column, TextColumn) and looks_like_times(column)


def _is_steps(table: Table, name: str) -> bool:
    """Whether a column has whole numbers alone, as years and steps are, or months such as 2020.01."""
    column = table.columns[name]
    if not isinstance(column, NumberColumn) or not np.isfinite(column.numbers).all():
        return False
    return column.whole or date_pattern_of(column.numbers) is not None


def _counts(table: Table, name: str) -> bool:
    """Whether a column numbers its rows one by one, or has dates such as 20200131."""
    column = table.columns[name]
    if not _is_steps(table, name) or not isinstance(column, NumberColumn) or length_of(column) < 3:
        return False
    counts = bool((np.diff(column.numbers) == 1).all())
    return counts or (column.numbers.min() > 10_000 and date_pattern_of(column.numbers) is not None)


def _codes(table: Table, name: str) -> NDArray[np.int64]:
    column = table.columns[name]
    if isinstance(column, TimeColumn):
        return np.unique(column.utc, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return texts_of(column).codes.astype(np.int64)


def _ids(table: Table, free: Sequence[str], time: str | None) -> tuple[str, ...]:
    """The column that tells series apart; none where no time occurs twice."""
    candidates = [name for name in free if _may_be_id(table, name)]
    named = _by_name(candidates, _IDS[:5])
    if time is None:
        return () if named is None else (named,)
    times = _codes(table, time)
    repeated = len(np.unique(times)) < len(times)
    if named is not None and (repeated or named.casefold() == "unique_id"):
        return (named,)
    if not repeated:
        return ()
    apart = [name for name in candidates if _tell_apart(times, _codes(table, name))]
    texts = [name for name in apart if isinstance(table.columns[name], TextColumn)] or apart
    if (named := _by_name(apart, _IDS)) is not None:
        return (named,)
    if len(texts) == 1:
        return (texts[0],)
    if texts:
        raise RunError(
            f"times occur more than once in {table.source}: name the column of series, --id "
            f"{' or --id '.join(texts[:4])}"
        )
    return _of_no_help(table, [name for name in candidates if isinstance(table.columns[name], TextColumn)])


def _of_no_help(table: Table, texts: list[str]) -> tuple[str, ...]:
    """The one column of texts, though a time occurs twice with it: reading the rows says where."""
    if len(texts) < 2:
        return tuple(texts)
    raise RunError(
        f"times occur more than once in {table.source}, and no one column tells the series apart: name those that do, "
        f"such as --id {','.join(texts[:2])}"
    )


def _may_be_id(table: Table, name: str) -> bool:
    column = table.columns[name]
    if isinstance(column, TextColumn):
        return not _mostly_numbers(column) or all(text.strip().isdigit() for text in column.texts)
    return _is_steps(table, name)


def _tell_apart(times: NDArray[np.int64], codes: NDArray[np.int64]) -> bool:
    """Whether no two rows have the same time and the same code, and there are fewer series than rows."""
    keys = times * (codes.max() + 1) + codes
    return len(np.unique(keys)) == len(keys) and int(codes.max()) + 1 <= max(len(codes) // 2, 1)


def _mostly_numbers(column: TextColumn) -> bool:
    texts = [text for text in column.texts[:1000] if not is_missing(text)]
    return 2 * sum(_is_number(text) for text in texts) > len(texts)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _targets(table: Table, free: Sequence[str], has_ids: bool, inputs: bool) -> tuple[str, ...]:
    """The column to forecast, or in wide form all columns of numbers."""
    numbers = [name for name in free if _has_numbers(table, name)]
    if not numbers:
        raise RunError(f"{table.source} has no column of numbers to forecast{_left(free)}; name one with --target")
    if len(numbers) == 1:
        return (numbers[0],)
    by_name = [name for wanted in _TARGETS for name in numbers if name.casefold() == wanted]
    if by_name:
        return (by_name[0],)
    if not has_ids and not inputs and (len(numbers) >= WIDE or _named_alike(numbers)):
        return tuple(numbers)
    wide = (
        ""
        if has_ids
        else f", or all as a series each: --target {','.join(numbers[:4])}{',…' if len(numbers) > 4 else ''}"
    )
    raise RunError(
        f"{table.source} has several columns of numbers, {listed(numbers)}: name the one to forecast with --target "
        f"(and others with --known or --past, if they help){wide}"
    )


def _left(free: Sequence[str]) -> str:
    return f" among {listed(free)}" if free else ""


def _has_numbers(table: Table, name: str) -> bool:
    column = table.columns[name]
    if isinstance(column, NumberColumn):
        return bool(np.isfinite(column.numbers).any()) or bool(np.isinf(column.numbers).any())
    return isinstance(column, TextColumn) and _mostly_numbers(column)


def _named_alike(names: Sequence[str]) -> bool:
    """Whether names differ in a number or letter at their end alone, such as ``store_1`` and ``store_2``."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    return all(found) and len({each[1] for each in found if each}) == 1
