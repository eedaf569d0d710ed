"""The frequency of tables: found from the differences of times, with gaps allowed, or named by the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.frequency import Frequency
from recurra.series.units import DAYS, MONTHS, SECONDS, month_of, month_start, split_name
from recurra.series.zones import DAY, SECOND, local_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALIASES = {
    "H": "h", "hour": "h", "hourly": "h", "T": "min", "MIN": "min", "S": "s", "d": "D", "day": "D", "daily": "D",
    "w": "W", "week": "W", "weekly": "W", "b": "B", "month": "M", "monthly": "M", "quarter": "Q", "quarterly": "Q",
    "year": "Y", "yearly": "Y", "A": "Y", "AS": "YS", "steps": "step",
}  # fmt: skip
_MONTHLY = ("YS", "YE", "QS", "QE", "MS", "ME")


@dataclass(frozen=True, eq=False)
class SortedTimes:
    """Times of series, sorted by series and time.

    Attributes:
        utc: int64 (rows,), microseconds since 1970 in UTC, or whole numbers of steps.
        series: int64 (rows,), the number of each row's series, ascending.
        zone: the time zone, or None.
        is_step: whether they are whole numbers of steps.
    """

    utc: NDArray[np.int64]
    series: NDArray[np.int64]
    zone: str | None = None
    is_step: bool = False

    def differences(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The differences of neighbouring rows of one series that are above zero."""
        steps = np.diff(values)[np.diff(self.series) == 0]
        return np.asarray(steps[steps > 0])


class IrregularTimesError(RunError):
    """Times without a frequency.

    Attributes:
        row: the first of the sorted rows that does not fit the step, which is then the message; -1 where none is to
            blame.
    """

    def __init__(self, message: str, row: int = -1) -> None:
        super().__init__(message)
        self.row = row


def detect_frequency(times: SortedTimes) -> Frequency:
    """Find the frequency of series from the differences of their times; times may be missing.

    Raises:
        IrregularTimesError: no series has two times, or a time lies beside the grid of the usual step.
    """
    if not times.differences(times.utc).size:
        raise IrregularTimesError(
            "no series has two different times: name the frequency with --freq, such as --freq MS"
        )
    if times.is_step:
        return _checked("step", _usual(times.differences(times.utc)), times)
    local = local_of(times.utc, times.zone)
    if len(set(np.unique(local % DAY).tolist())) > 1:
        return _by_seconds(times)
    steps = times.differences(local // DAY)
    if (name := _monthly(local, times)) is not None:
        unit, multiple = name
        return _checked(unit, multiple, times)
    usual = _usual(steps)
    weekdays = np.unique((local // DAY + 3) % 7)
    if weekdays.max() < 5 and usual == 1 and (steps >= 3).any():  # no weekend has a row
        return _checked("B", 1, times)
    return _checked("W", usual // 7, times) if usual % 7 == 0 else _checked("D", usual, times)


def named_frequency(name: str, times: SortedTimes) -> Frequency:
    """The frequency of this name, as pandas writes it or as a word, on the grid that the times lie on.

    Raises:
        RunError: there is no such frequency.
        IrregularTimesError: a time lies beside the grid.
    """
    plain = name.strip().split("-")[0]  # W-SUN: the times say the day
    digits = plain[: len(plain) - len(plain.lstrip("0123456789"))]
    unit = _ALIASES.get(plain[len(digits) :], plain[len(digits) :])
    if unit in ("M", "Q", "Y"):
        local = local_of(times.utc, times.zone)
        unit += "E" if not times.is_step and _at_end(local).all() else "S"
    multiple, unit = split_name(digits + unit)
    if (unit == "step") != times.is_step:
        raise RunError(
            f"the frequency {one_line(name, 40)} does not go with a time column of "
            f"{'whole numbers, whose frequency is step' if times.is_step else 'times'}"
        )
    return _checked(unit, multiple, times)


def fit(frequency: Frequency, times: SortedTimes) -> NDArray[np.int64]:
    """The positions of times on a grid.

    Raises:
        IrregularTimesError: a time lies beside the grid.
    """
    positions, fits = frequency.locate(times.utc)
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise IrregularTimesError(f"the step {frequency}", row)
    return positions


def other_frequency(times: SortedTimes, frequency: Frequency) -> Frequency | None:
    """The frequency of times that do not lie on a grid, or never on neighbouring steps of it; else None."""
    try:
        found = detect_frequency(times)
    except IrregularTimesError:
        return None  # putting them on the grid says what is wrong
    positions, fits = frequency.locate(times.utc)
    steps = np.diff(positions)[np.diff(times.series) == 0]
    return found if found.name != frequency.name and (not fits.all() or steps.min() > 1) else None


def shown_time(times: SortedTimes, row: int) -> str:
    """The time of a row as the clocks of its zone show it, without what is zero at its end."""
    if times.is_step:
        return str(int(times.utc[row]))
    local = local_of(times.utc[row : row + 1], times.zone)
    return clock_text(int(local[0]))


def clock_text(local: int) -> str:
    """A time in microseconds since 1970 as a date, with the time of day unless it is midnight."""
    text = str(np.int64(local).view("datetime64[us]")).replace("T", " ")
    for end in (" 00:00:00.000000", ":00.000000", ".000000"):
        if text.endswith(end):
            return text[: -len(end)]
    return text


def _checked(unit: str, multiple: int, times: SortedTimes) -> Frequency:
    """The frequency with an anchor that most series agree on."""
    name = unit if multiple == 1 else f"{multiple}{unit}"
    if unit in MONTHS and unit.endswith("S") and _at_end(local_of(times.utc, times.zone)).mean() > 0.5:
        raise IrregularTimesError(
            f"the frequency {name} is one of beginnings; for the last days of months name {name[:-1]}E"
        )
    try:
        frequency = Frequency(name, _anchor(unit, multiple, times), times.zone)
    except RunError as error:
        raise IrregularTimesError(str(error)) from None
    fit(frequency, times)
    return frequency


def _anchor(unit: str, multiple: int, times: SortedTimes) -> int:
    """The time that defines the grid: the first whose place in the step is the most usual one."""
    utc = times.utc
    local = local_of(utc, None if times.is_step else times.zone)
    if times.is_step:
        place = utc % multiple
    elif unit in SECONDS:
        place = utc % (SECONDS[unit] * SECOND * multiple)
    elif unit in MONTHS:
        month = month_of(local)
        in_month = np.where(_at_end(local), 0, DAY) + local % DAY if unit.endswith("E") else local - month_start(month)
        place = in_month + month % (MONTHS[unit] * multiple) * (31 * DAY)
    elif unit == "B":
        place = local % DAY + np.where((local // DAY + 3) % 7 > 4, DAY, 0)
    else:
        place = local % (DAYS[unit] * DAY * multiple)
    _, first, counts = np.unique(place, return_index=True, return_counts=True)
    return int(utc[first[counts == counts.max()].min()])


def _monthly(local: NDArray[np.int64], times: SortedTimes) -> tuple[str, int] | None:
    """The unit and the multiple of times that lie months apart; None where they do not."""
    steps = times.differences(month_of(local))
    days = times.differences(local // DAY)
    if not steps.size or np.mean(days < 28) > 0.1:
        return None
    place = local - month_start(month_of(local))
    ends = bool(np.mean(_at_end(local)) > 0.5)
    same = np.mean(place == _usual(place)) > 0.5
    if not ends and not same:
        return None
    usual = _usual(steps)
    for unit in _MONTHLY:
        if unit.endswith("E") == ends and usual % MONTHS[unit] == 0:
            return unit, usual // MONTHS[unit]
    return None


def _by_seconds(times: SortedTimes) -> Frequency:
    steps = times.differences(times.utc)
    usual = _usual(steps)
    if usual % SECOND:
        raise IrregularTimesError(
            "the times lie less than a second apart: number the rows, and name that column with --time"
        )
    for unit, seconds in SECONDS.items():
        if usual % (seconds * SECOND) == 0:
            return _checked(unit, usual // (seconds * SECOND), times)
    raise AssertionError(usual)


def _at_end(local: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether times lie on the last day of a month."""
    return np.asarray(month_of(local + DAY) != month_of(local))


def _usual(values: NDArray[np.int64]) -> int:
    """The most frequent of values; the smallest of several."""
    found, counts = np.unique(values, return_counts=True)
    return int(found[np.argmax(counts)])
