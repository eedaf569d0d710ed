"""``Frequency``: the regular grid of times that series lie on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import FileFormatError, RunError
from recurra.series.calendars import calendar_features, calendar_width
from recurra.series.units import (
    DAYS,
    MONTHS,
    SECONDS,
    day_of_working,
    in_words,
    month_of,
    month_start,
    split_name,
    usual_periods,
    working_day_of,
)
from recurra.series.zones import DAY, SECOND, local_of, utc_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Frequency:
    """A regular grid of times; a position is the whole number of steps since the grid's beginning.

    Years, quarters, months, weeks and days begin by the clocks of the zone, so that a day may have 23 or 25 hours;
    hours, minutes and seconds pass as they do everywhere.

    Attributes:
        name: pandas' name of the frequency with a multiple in front: ``YS``, ``YE``, ``QS``, ``QE``, ``MS``, ``ME``,
            ``W``, ``D``, ``B`` (Monday to Friday), ``h``, ``min``, ``s``, such as ``15min``; ``step`` for whole numbers
            instead of times.
        anchor: the time of position 0, datetime64[us] in UTC as its int64; for ``step`` the first number. Its month,
            its day (``YS``, ``QS``, ``MS``: as many days after a month's begin) and its time of day are those of all
            steps. For ``YE``, ``QE``, ``ME`` position 0 is the last day of its month, for ``B`` the first working day
            from it.
        zone: the IANA name of the time zone in which a day begins and ends, or its fixed offset such as ``+05:30``;
            None for times without a zone.

    Raises:
        RunError: there is no such frequency or zone, or a month lacks the anchor's day.
    """

    name: str
    anchor: int = 0
    zone: str | None = None

    def __post_init__(self) -> None:
        split_name(self.name)
        if self.zone is not None:
            zone_of(self.zone)
        if self.unit in MONTHS and self.unit.endswith("S") and (self._anchor - _begin(self._anchor) >= 28 * DAY).any():
            raise RunError(f"the frequency {self.name} needs a day that every month has: one up to the 28th")

    def __str__(self) -> str:
        return in_words(self.name)

    def locate(self, times: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The positions of times, and for each whether it lies on the grid; others have the position of a neighbour.

        Args:
            times: datetime64[us] in UTC, or its int64; for ``step``: whole numbers.
        """
        utc = _whole(times)
        positions = self._floor(utc)
        return positions, _whole(self.times(positions)) == utc

    def positions(self, times: ArrayLike) -> NDArray[np.int64]:
        """The positions of times, datetime64[us] in UTC (for ``step``: whole numbers).

        Raises:
            RecurraError: a time lies between the steps of the grid.
        """
        positions, fits = self.locate(times)
        if not fits.all():
            wrong = _whole(times)[~fits][0]
            shown = wrong if self.is_step else np.int64(wrong).view("datetime64[us]").item()
            raise RunError(f"{shown} does not lie on the grid of times, which is {self}")
        return positions

    def times(self, positions: ArrayLike) -> NDArray[Any]:
        """The times of positions, datetime64[us] in UTC; for ``step``: whole numbers."""
        steps = np.atleast_1d(np.asarray(positions, np.int64)) * self.multiple
        if self.is_step:
            return steps + self.anchor
        if self.unit in SECONDS:
            return (steps * (SECONDS[self.unit] * SECOND) + self.anchor).view("datetime64[us]")
        return utc_of(self._local(steps), self.zone).view("datetime64[us]")

    @property
    def multiple(self) -> int:
        """The number in front of the unit, such as 15 of ``15min``."""
        return split_name(self.name)[0]

    @property
    def unit(self) -> str:
        """The name without its multiple, such as ``min`` of ``15min``."""
        return split_name(self.name)[1]

    @property
    def is_step(self) -> bool:
        """Whether positions are whole numbers' and not times'."""
        return self.unit == "step"

    @property
    def periods(self) -> tuple[int, ...]:
        """The usual seasons in steps, from the shortest, such as (24, 168) for ``h``; empty where there is none."""
        return usual_periods(self.name)

    @property
    def calendar_width(self) -> int:
        """The number of features that `calendar` gives."""
        return calendar_width(self.name)

    def calendar(self, positions: ArrayLike) -> NDArray[np.float32]:
        """Features of the calendar at positions, between -1 and 1: float32 (positions, features).

        The sine and cosine of the place in the year, the month, the week, the day, where they change from step to step;
        no features for ``step``.
        """
        steps = np.atleast_1d(np.asarray(positions, np.int64))
        if not self.calendar_width:
            return np.zeros((len(steps), 0), np.float32)
        return calendar_features(self.name, local_of(self.times(steps).astype(np.int64), self.zone))

    def to_content(self) -> dict[str, Any]:
        """The frequency as JSON content."""
        return asdict(self)

    @classmethod
    def from_content(cls, content: Any) -> Frequency:
        """The frequency that JSON content holds.

        Raises:
            FileFormatError: a field is missing, not known or out of range.
        """
        if not isinstance(content, dict) or content.keys() != {"name", "anchor", "zone"}:
            raise FileFormatError("a frequency must be an object of name, anchor and zone")
        name, anchor, zone = content["name"], content["anchor"], content["zone"]
        if not isinstance(name, str) or type(anchor) is not int or not isinstance(zone, (str, type(None))):
            raise FileFormatError("a frequency's name and zone must be texts, its anchor a whole number")
        if abs(anchor) > 2**62:
            raise FileFormatError("a frequency's anchor is out of range")
        try:
            return cls(name, anchor, zone)
        except RunError as error:
            raise FileFormatError(str(error)) from None

    def _floor(self, utc: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions of times that lie on the grid, and of others those of a neighbour."""
        if self.is_step:
            return (utc - self.anchor) // self.multiple
        if self.unit in SECONDS:
            return (utc - self.anchor) // (SECONDS[self.unit] * SECOND * self.multiple)
        number, begin = self._number, self._anchor
        return (number(local_of(utc, self.zone)) - number(begin)) // self.multiple

    @property
    def _anchor(self) -> NDArray[np.int64]:
        """The time of the anchor on the zone's clocks, (1,)."""
        return local_of(np.array([self.anchor], np.int64), self.zone)

    @property
    def _number(self) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """The function that gives the units of times on the zone's clocks as numbers."""
        if self.unit in MONTHS:
            return partial(_period, unit=MONTHS[self.unit], first=int(month_of(self._anchor)[0]))
        if self.unit == "B":
            return lambda local: working_day_of(local // DAY)
        return partial(_period_of_days, unit=DAYS[self.unit], first=int(self._anchor[0] // DAY))

    def _local(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """The time on the zone's clocks so many units after the anchor."""
        begin = self._anchor
        if self.unit in MONTHS:
            month = month_of(begin) + units * MONTHS[self.unit]
            if self.unit.endswith("E"):
                return month_start(month + 1) - DAY + begin % DAY
            return month_start(month) + begin - _begin(begin)
        if self.unit == "B":
            return day_of_working(working_day_of(begin // DAY) + units) * DAY + begin % DAY
        return begin + units * (DAYS[self.unit] * DAY)


def _whole(times: ArrayLike) -> NDArray[np.int64]:
    array = np.atleast_1d(np.asarray(times))
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]")
    return array.astype(np.int64)


def _begin(local: NDArray[np.int64]) -> NDArray[np.int64]:
    """The beginning of the months that times lie in."""
    return month_start(month_of(local))


def _period(local: NDArray[np.int64], unit: int, first: int) -> NDArray[np.int64]:
    return (month_of(local) - first) // unit


def _period_of_days(local: NDArray[np.int64], unit: int, first: int) -> NDArray[np.int64]:
    return (local // DAY - first) // unit
