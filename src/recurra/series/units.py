"""The units of frequencies: the step's length, months and working days as numbers, and the usual seasons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.zones import DAY, SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

MONTHS = {"YS": 12, "YE": 12, "QS": 3, "QE": 3, "MS": 1, "ME": 1}
DAYS = {"W": 7, "D": 1}
SECONDS = {"h": 3600, "min": 60, "s": 1}
UNITS = (*MONTHS, *DAYS, "B", *SECONDS, "step")
WORDS = {
    "YS": "yearly", "YE": "yearly", "QS": "quarterly", "QE": "quarterly", "MS": "monthly", "ME": "monthly",
    "W": "weekly", "D": "daily", "B": "Monday to Friday", "h": "hourly", "min": "every minute", "s": "every second",
    "step": "whole steps",
}  # fmt: skip
_PLURALS = {
    "YS": "years", "YE": "years", "QS": "quarters", "QE": "quarters", "MS": "months", "ME": "months", "W": "weeks",
    "D": "days", "B": "working days", "h": "hours", "min": "minutes", "s": "seconds", "step": "steps",
}  # fmt: skip
_NAME = re.compile(r"([1-9]\d{0,5})?([A-Za-z]+)", re.ASCII)


def split_name(name: str) -> tuple[int, str]:
    """The multiple and the unit of a frequency's name: (15, "min") of ``15min``.

    Raises:
        RunError: it is no name of a frequency.
    """
    found = _NAME.fullmatch(name)
    if found is None or found[2] not in UNITS:
        raise RunError(
            f"there is no frequency {one_line(name, 40)}; name one of {', '.join(UNITS)}, or a multiple such as 15min"
        )
    return int(found[1] or 1), found[2]


def in_words(name: str) -> str:
    """A frequency in words, with its name: ``monthly (MS)``, ``every 15 minutes (15min)``."""
    multiple, unit = split_name(name)
    words = WORDS[unit] if multiple == 1 else f"every {multiple} {_PLURALS[unit]}"
    return f"{words} ({name})"


def steps_in_words(name: str, count: int) -> str:
    """A number of steps in words: ``24 months``, ``1 hour``, ``12 steps`` of a frequency with a multiple."""
    multiple, unit = split_name(name)
    plural = _PLURALS[unit if multiple == 1 else "step"]
    return f"{count} {plural if count != 1 else plural.removesuffix('s')}"


def usual_periods(name: str) -> tuple[int, ...]:
    """The usual seasons of a frequency in steps, ascending: (7, 365) for ``D``."""
    multiple, unit = split_name(name)
    if unit == "step":
        return ()
    if unit in MONTHS:
        lengths = [12 / (MONTHS[unit] * multiple)]
    elif unit == "B":
        lengths = [5 / multiple, round(260 / multiple)]
    elif unit in DAYS:
        days = DAYS[unit] * multiple
        lengths = [7 / days, round((364 if days % 7 == 0 else 365) / days)]
    else:
        step = SECONDS[unit] * multiple
        seasons = (86_400, 604_800) if step >= 300 else (3600, 86_400) if step >= 60 else (60, 3600)
        lengths = [season / step for season in seasons]
    return tuple(int(length) for length in lengths if length >= 2 and length == int(length))


def step_length(name: str) -> int:
    """The usual length of a step in microseconds; a month has 30.4 days, five working days have seven."""
    multiple, unit = split_name(name)
    if unit in MONTHS:
        return round(365.25 / 12 * DAY) * MONTHS[unit] * multiple
    if unit in DAYS:
        return DAYS[unit] * DAY * multiple
    return DAY * 7 // 5 * multiple if unit == "B" else SECONDS[unit] * SECOND * multiple


def month_of(local: NDArray[np.int64]) -> NDArray[np.int64]:
    """The months since January 1970 of times in microseconds."""
    return local.view("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def month_start(month: NDArray[np.int64]) -> NDArray[np.int64]:
    """The beginning of months since January 1970, in microseconds."""
    return month.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)


def working_day_of(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """The days from Monday to Friday before days since 1970; a Saturday and a Sunday count as the Monday after them."""
    week, weekday = np.divmod(day + 3, 7)  # 1970 began on a Thursday
    return week * 5 + np.minimum(weekday, 5)


def day_of_working(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """The days since 1970 of working days as :func:`working_day_of` numbers them."""
    week, weekday = np.divmod(number, 5)
    return week * 7 + weekday - 3
