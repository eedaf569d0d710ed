"""Features of the calendar: sines and cosines of the place in the day, the week, the month and the year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.series.units import SECONDS, month_of, month_start, split_name, step_length
from recurra.series.zones import DAY, SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The cycles of each unit, and how many harmonics of each: as many as tell a week's days apart, and few of the year.
_CYCLES = {
    **dict.fromkeys(("YS", "YE"), ()),
    **dict.fromkeys(("QS", "QE"), (("months", 1),)),
    **dict.fromkeys(("MS", "ME"), (("months", 2),)),
    "W": (("year", 2),),
    "D": (("weekday", 3), ("month", 1), ("year", 2)),
    "B": (("weekday", 2), ("month", 1), ("year", 2)),
    "h": (("day", 3), ("week", 3), ("year", 1)),
    "min": (("hour", 1), ("day", 3), ("week", 2)),
    "s": (("minute", 1), ("hour", 1), ("day", 2)),
    "step": (),
}
_LENGTHS = {"minute": 60 * SECOND, "hour": 3600 * SECOND, "day": DAY, "week": 7 * DAY, "weekday": 7 * DAY}


def calendar_width(name: str) -> int:
    """The number of features of the calendar for a frequency."""
    return 2 * sum(harmonics for _, harmonics in _cycles(name))


def calendar_features(name: str, local: NDArray[np.int64]) -> NDArray[np.float32]:
    """The features of the calendar at times of a zone's clocks: float32 (times, features), between -1 and 1."""
    features = np.empty((len(local), calendar_width(name)), np.float32)
    column = 0
    for cycle, harmonics in _cycles(name):
        place = 2 * np.pi * _share(cycle, local, split_name(name)[1])
        for harmonic in range(1, harmonics + 1):
            features[:, column] = np.sin(harmonic * place)
            features[:, column + 1] = np.cos(harmonic * place)
            column += 2
    return features


def _cycles(name: str) -> list[tuple[str, int]]:
    """The cycles that change from step to step, and are longer than two steps where they are of a fixed length."""
    unit = split_name(name)[1]
    if not _CYCLES[unit]:
        return []
    step = step_length(name)
    lengths = {**_LENGTHS, "month": 30 * DAY, "months": 365 * DAY, "year": 365 * DAY}
    return [(cycle, harmonics) for cycle, harmonics in _CYCLES[unit] if lengths[cycle] >= 2 * step]


def _share(cycle: str, local: NDArray[np.int64], unit: str) -> NDArray[np.float64]:
    """The share of a cycle that has passed, from 0 to 1."""
    if cycle == "months":
        return np.asarray(month_of(local) % 12 / 12)
    if cycle == "month":
        month = month_of(local)
        begin = month_start(month)
        return np.asarray((local - begin) // DAY * DAY / (month_start(month + 1) - begin))
    if cycle == "year":
        year = month_of(local) // 12 * 12
        begin = month_start(year)
        return np.asarray((local - begin) / (month_start(year + 12) - begin))
    if cycle == "weekday" and unit == "B":
        return np.asarray((local // DAY + 3) % 7 / 5)
    if cycle in ("week", "weekday"):
        passed = (local + 3 * DAY) % (7 * DAY)
        return np.asarray((passed // DAY * DAY if unit not in SECONDS else passed) / (7 * DAY))
    return np.asarray(local % _LENGTHS[cycle] / _LENGTHS[cycle])
