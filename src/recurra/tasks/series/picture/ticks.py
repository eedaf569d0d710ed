"""Marks of an axis of times: the beginnings of years, months, days, hours."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from recurra.page.ticks import Mark, number_marks
from recurra.series.zones import local_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.frequency import Frequency

MOST_MARKS = 9  # of an axis of times
# Units of time as numpy names them, from the finest to the coarsest, and how many of each.
_UNITS = (
    *(("s", count) for count in (1, 5, 15, 30)),
    *(("m", count) for count in (1, 5, 15, 30)),
    *(("h", count) for count in (1, 3, 6, 12)),
    *(("D", count) for count in (1, 2)),
    ("W", 1),
    *(("M", count) for count in (1, 3, 6)),
    *(("Y", count) for count in (1, 2, 5, 10, 20, 50, 100)),
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def time_marks(frequency: Frequency, first: int, last: int) -> list[Mark]:
    """Marks where the years, months, days, hours of a grid begin, in the finest unit that leaves at most nine.

    Args:
        frequency: the grid.
        first: the axis' first position.
        last: its last position.

    Returns:
        The marks at positions; for whole numbers instead of times at round numbers.
    """
    positions = np.arange(first, last + 1)
    times = frequency.times(positions)
    if not np.issubdtype(times.dtype, np.datetime64):
        return _step_marks(positions, times)
    local = local_of(times.astype(np.int64), frequency.zone).view("datetime64[us]")
    unit, begins = _coarsest(local)
    if len(begins) < 2:
        unit, begins = (
            ("s" if _has_clock(local) else "D"),
            np.linspace(0, len(local) - 1, min(len(local), 5)).astype(int),
        )
    return [
        Mark(float(positions[index]), text)
        for index, text in zip(begins, _time_texts(local[begins], unit), strict=True)
    ]


def _step_marks(positions: NDArray[np.int64], numbers: NDArray[np.datetime64]) -> list[Mark]:
    places = dict(zip(np.asarray(numbers, np.int64).tolist(), positions.tolist(), strict=True))
    low, high = min(places), max(places)
    marks = number_marks(low, high) if high > low else [Mark(low, str(low))]
    return [Mark(float(places[int(mark.at)]), mark.text) for mark in marks if int(mark.at) in places]


def _coarsest(local: NDArray[np.datetime64]) -> tuple[str, NDArray[np.int64]]:
    """The finest unit with at most nine beginnings, or a coarser one with as many; and the indices of these."""
    every = [(unit, _beginnings(local, unit, count)) for unit, count in _UNITS]
    few = [each for each in every if len(each[1]) <= MOST_MARKS]
    if not few:
        unit, begins = every[-1]
        return unit, begins[:: len(begins) // MOST_MARKS + 1]
    return next(each for each in reversed(few) if len(each[1]) == len(few[0][1]))


def _beginnings(local: NDArray[np.datetime64], unit: str, count: int) -> NDArray[np.int64]:
    """The indices of the times with which a period of so many units begins."""
    before = local[:1] - (local[1] - local[0]) if len(local) > 1 else local[:1]
    return np.flatnonzero(np.diff(_periods(np.concatenate([before, local]), unit, count)))


def _periods(local: NDArray[np.datetime64], unit: str, count: int) -> NDArray[np.int64]:
    """The number of the period of so many units that each time lies in."""
    if unit in _SECONDS:
        return local.astype("datetime64[s]").astype(np.int64) // (_SECONDS[unit] * count)
    day = local.astype("datetime64[D]")
    if unit == "W":  # numpy's weeks begin on Thursdays, ours on Mondays
        return np.asarray((day.astype(np.int64) + 3) // 7)
    if unit == "D":  # from the first of the month, so that the days that are marked are the same every month
        month = day.astype("datetime64[M]")
        of_month = (day - month.astype("datetime64[D]")).astype(np.int64)
        return np.asarray(month.astype(np.int64) * 31 + of_month // count)
    months = local.astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // (count * 12 if unit == "Y" else count))


def _has_clock(local: NDArray[np.datetime64]) -> bool:
    return bool((local != local.astype("datetime64[D]")).any())


def _time_texts(times: NDArray[np.datetime64], unit: str) -> list[str]:
    """The texts of marks: the year where it changes, else the month, the day or the hour."""
    form = {"Y": "%Y", "M": "%b", "W": "%-d %b", "D": "%-d %b", "h": "%H:%M", "m": "%H:%M", "s": "%H:%M:%S"}[unit]
    texts, before = [], None
    for time in times.astype("datetime64[s]").tolist():
        text = _formatted(time, form)
        if unit in ("M", "W", "D") and (before is None or before.year != time.year):
            text += f" {time.year}"
        elif unit in ("h", "m", "s") and (before is None or before.date() != time.date()):
            text = f"{_formatted(time, '%-d %b')} {text}"
        texts.append(text)
        before = time
    return texts


def _formatted(time: datetime, form: str) -> str:
    """A time by a format of strftime, whose ``%-d`` not every platform knows."""
    return time.strftime(form.replace("%-d", str(time.day)))
