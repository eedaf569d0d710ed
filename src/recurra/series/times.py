"""Columns of times, read as microseconds since 1970, with the pattern by which they are written back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.table import NumberColumn, Table, TextColumn, TimeColumn, is_missing, number_text
from recurra.series.time_patterns import check_pattern, has_one_width, match, read_times, write_times
from recurra.series.time_shapes import patterns_of
from recurra.series.zones import SECOND, local_of, shown_twice, utc_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNIX = {"%s": 1, "%3s": 10**3, "%6s": 10**6, "%9s": 10**9}  # by units a second
_UNIX_SECONDS = 473_385_600, 7_258_118_400  # the years 1985 to 2200
_MONTHS = "%Y.%m"
_YEARS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d"}  # by digits; years from 1700 to 2200


@dataclass(frozen=True, eq=False)
class ReadTimes:
    """A column of times as it was read.

    Attributes:
        values: int64 (rows,): microseconds since 1970 in UTC, or on the clocks of the zone if `by_clock`; for steps the
            whole numbers.
        pattern: the pattern of the texts or numbers; None for steps and for columns of times.
        zone: the time zone, or None.
        by_clock: whether `values` are what clocks show.
        is_step: whether the column numbers steps.
    """

    values: NDArray[np.int64]
    pattern: str | None = None
    zone: str | None = None
    by_clock: bool = False
    is_step: bool = False

    def utc(self, series: NDArray[Any]) -> NDArray[np.int64]:
        """The times in UTC; where clocks were put back, a series' second row of one time is the later one.

        Args:
            series: the series of each row, as whole numbers.
        """
        if not self.by_clock or self.zone is None:
            return self.values
        twice = shown_twice(self.values, self.zone)
        second = np.zeros(len(twice), np.bool_)
        seen: Counter[tuple[int, int]] = Counter()
        for row in np.flatnonzero(twice).tolist():
            key = int(series[row]), int(self.values[row])
            second[row] = seen[key] > 0
            seen[key] += 1
        return utc_of(self.values, self.zone, second)


def read_time_column(table: Table, name: str, pattern: str | None = None, zone: str | None = None) -> ReadTimes:
    """Read a column of times.

    Args:
        table: the table.
        name: the name of the column.
        pattern: the pattern of its texts. Default: found from all rows.
        zone: the time zone of times without one; the zone by which times with an offset are shown. Default: the offset
            that all have, or UTC where they differ; none for times without one.

    Raises:
        RunError: there is no such column, a row is no time, or days and months cannot be told apart.
    """
    column = table.column(name, "time column")
    if isinstance(column, TimeColumn):
        if column.zone is not None or zone is None:
            return ReadTimes(column.utc, None, zone or column.zone)
        return ReadTimes(column.utc, None, zone, by_clock=True)
    if isinstance(column, NumberColumn):
        return _from_numbers(table, name, column, pattern, zone)
    if (code := next((code for code, text in enumerate(column.texts) if is_missing(text)), None)) is not None:
        raise _refusal(table, name, column, code, "is no time; give the row one, or remove it")
    if pattern is None:
        pattern, local, offsets = _found(table, name, column)
    else:
        check_pattern(pattern)
        local, offsets, wrong = read_times(pattern, column.texts)
        if wrong >= 0:
            problem = f"is no time of the form {pattern}; repair it, or name the form with --time-format"
            raise _refusal(table, name, column, wrong, problem)
    return _in_zone(local, offsets, pattern, column.codes, zone)


def looks_like_times(column: TextColumn, most: int = 50) -> bool:
    """Whether the first different texts of a column are times."""
    texts = [text for text in column.texts[:most] if not is_missing(text)]
    candidates = patterns_of(texts[0]) if texts else []
    return any(all(match(pattern).fullmatch(text.strip()) for text in texts) for pattern in candidates)


def date_pattern_of(numbers: NDArray[np.float64]) -> str | None:
    """The pattern of whole numbers that are all times; None where they are not.

    They are years, months such as 202001, days such as 20200131, or seconds, thousandths, millionths or billionths
    since 1970. Months may also be 2020.01; these are told from other numbers by a month whose text has two decimals.
    """
    if not len(numbers) or not np.isfinite(numbers).all() or numbers.min() < 1700:
        return None
    if (numbers != np.floor(numbers)).any():
        return _MONTHS if _are_months(numbers) else None
    for pattern, unit in _UNIX.items():
        if _UNIX_SECONDS[0] * unit <= numbers.min() and numbers.max() < _UNIX_SECONDS[1] * unit:
            return pattern if pattern != "%9s" or not (numbers % 1_000).any() else None
    first, last = number_text(float(numbers.min())), number_text(float(numbers.max()))
    form = _YEARS.get(len(first))
    if form is None or len(first) != len(last) or not 1700 <= int(first[:4]) <= int(last[:4]) <= 2200:
        return None
    texts = [number_text(value) for value in np.unique(numbers).tolist()]
    return form if read_times(form, texts)[2] < 0 else None


def _are_months(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers are years and months such as 2020.01; 2020.1 alone may be of January or of October."""
    months = np.round(100 * (numbers - np.floor(numbers)))
    return bool(
        numbers.max() < 2201
        and np.allclose(numbers, np.floor(numbers) + months / 100, rtol=0, atol=1e-9)
        and (months >= 1).all()
        and (months <= 12).all()
        and (months != 10).any()
    )


def _from_numbers(table: Table, name: str, column: NumberColumn, pattern: str | None, zone: str | None) -> ReadTimes:
    numbers = column.numbers
    pattern = pattern or date_pattern_of(numbers)
    wrong = ~np.isfinite(numbers) if pattern is not None else ~np.isfinite(numbers) | (numbers != np.floor(numbers))
    if pattern != "%9s":
        wrong |= np.abs(numbers) > 2**53
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        shown = f"{numbers[row]:.15g}" if numbers[row] == numbers[row] else "nothing"
        raise RunError(
            f"time column {one_line(name, 60)} of {table.source} has {shown} at {table.place(row)}; times must be "
            "dates, such as 2020-01, or whole numbers of steps"
        )
    if pattern is None:
        return ReadTimes(numbers.astype(np.int64), is_step=True)
    check_pattern(pattern)
    values, codes = np.unique(numbers, return_inverse=True)
    if pattern == _MONTHS:
        written = [f"{value:.2f}" for value in values.tolist()]
    else:
        written = [str(int(value)) if value == int(value) else repr(value) for value in values.tolist()]
    texts = TextColumn(codes.astype(np.int32).reshape(-1), written)
    local, offsets, bad = read_times(pattern, texts.texts)
    if bad >= 0:
        raise _refusal(table, name, texts, bad, f"is no time of the form {pattern}; name another with --time-format")
    return _in_zone(local, offsets, pattern, texts.codes, zone)


def _in_zone(
    local: NDArray[np.int64],
    offsets: NDArray[np.int64] | None,
    pattern: str,
    codes: NDArray[np.int32],
    zone: str | None,
) -> ReadTimes:
    """The times of the rows, from those of the different texts."""
    if offsets is None and pattern.endswith("Z") and not pattern.endswith("%Z"):
        offsets = np.zeros(len(local), np.int64)
    if offsets is None:
        return ReadTimes(local[codes], pattern, zone, by_clock=zone is not None)
    found = np.unique(offsets)
    own = "UTC" if len(found) > 1 or found[0] == 0 else _fixed(int(found[0]))
    if zone not in (None, "UTC") and pattern.endswith("Z"):
        pattern = pattern[:-1] + "%:z"
    return ReadTimes((local - offsets)[codes], pattern, zone or own)


def _fixed(offset: int) -> str:
    hours, minutes = divmod(abs(offset) // (60 * SECOND), 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"


def _found(table: Table, name: str, column: TextColumn) -> tuple[str, NDArray[np.int64], NDArray[np.int64] | None]:
    """The one pattern that all texts follow, and the times and offsets that they say by it."""
    candidates = patterns_of(column.texts[0]) if column.texts else []
    if not candidates:
        raise _refusal(
            table, name, column, 0, "is no date; repair it, name its form with --time-format, or another --time"
        )
    read = {pattern: read_times(pattern, column.texts) for pattern in candidates}
    right = [pattern for pattern in candidates if read[pattern][2] < 0]
    if not right:
        furthest = max(candidates, key=lambda pattern: read[pattern][2])
        problem = f"is no date of the form {furthest}; repair it, or name the form of all with --time-format"
        raise _refusal(table, name, column, read[furthest][2], problem)
    if len(right) > 1 and "%d.%m" not in right[0] and not np.array_equal(read[right[0]][0], read[right[1]][0]):
        raise RunError(
            f"time column {one_line(name, 60)} of {table.source} can be read in two ways, such as "
            f"'{one_line(column.texts[0], 40)}': name --time-format {right[0]} or --time-format {right[1]}"
        )
    return _with_flags(right[0], column.texts), *read[right[0]][:2]


def _with_flags(pattern: str, texts: Sequence[str]) -> str:
    """The pattern with ``-`` at each number that a text has without its zero in front."""
    if has_one_width(pattern, texts):
        return pattern
    letters = re.findall(r"%[:\d]?([A-Za-z])", pattern)
    expression = match(pattern)
    for text in texts:
        found = expression.fullmatch(text.strip())
        for letter, value in zip(letters, found.groups() if found else (), strict=False):
            if letter in "mdHI" and len(value) == 1:
                pattern = pattern.replace(f"%{letter}", f"%-{letter}")
    return pattern


def _refusal(table: Table, name: str, column: TextColumn, code: int, problem: str) -> RunError:
    row = int(np.flatnonzero(column.codes == code)[0])
    text = column.texts[code]
    shown = f"'{one_line(text, 40)}'" if text.strip() else "nothing"
    return RunError(f"time column {one_line(name, 60)} of {table.source}: {shown} at {table.place(row)} {problem}")


def times_as_text(utc: NDArray[np.int64], pattern: str, zone: str | None) -> list[str]:
    """The texts of times by the pattern and on the clocks of the zone that a column had.

    Args:
        utc: int64 (times,), microseconds since 1970 in UTC.
        pattern: the pattern.
        zone: the zone; None for times without one.
    """
    unique, codes = np.unique(utc, return_inverse=True)
    local = local_of(unique, zone)
    texts = write_times(pattern, local, local - unique)
    return [texts[code] for code in codes.reshape(-1).tolist()]
