"""Times of a zone's clocks from times in UTC, and back, for whole arrays."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_FIXED = re.compile(r"([+-])(\d\d):(\d\d)")
# A zone's rules are Python's, from the year 1 to 9999; a day less at both ends, so that no zone leaves them.
_FIRST, _LAST = np.array(["0001-01-02", "9999-12-30"], "datetime64[us]").view(np.int64)


def zone_of(name: str) -> datetime.tzinfo:
    """The rules of a zone: an IANA name such as ``Europe/Berlin``, or a fixed offset such as ``+05:30``.

    Raises:
        RunError: there is no such zone.
    """
    if found := _FIXED.fullmatch(name):
        sign, hours, minutes = found.groups()
        if int(hours) < 24 and int(minutes) < 60:
            offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
            return datetime.timezone(offset if sign == "+" else -offset)
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise RunError(
            f"there is no time zone {one_line(name, 40)}; name one such as Europe/Berlin, UTC or +05:30"
        ) from None


def local_of(utc: NDArray[np.int64], zone: str | None) -> NDArray[np.int64]:
    """The times that clocks in a zone show, in microseconds since 1970 began on them.

    Args:
        utc: int64, microseconds since 1970 in UTC.
        zone: the zone; None leaves times as they are.

    Raises:
        RunError: there is no such zone, or a time lies outside of the years 1 to 9999.
    """
    return utc if zone is None else utc + _offsets(utc, zone_of(zone))


def utc_of(local: NDArray[np.int64], zone: str | None, second: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """The times in UTC at which clocks in a zone show these times.

    A time that clocks skip is read as if they had not been put forward yet; one that they show twice is the first.

    Args:
        local: int64, microseconds since 1970 began on the zone's clocks.
        zone: the zone; None leaves times as they are.
        second: where it is true, a time that clocks show twice is the second. Default: nowhere.

    Raises:
        RunError: there is no such zone, or a time lies outside of the years 1 to 9999.
    """
    if zone is None:
        return local
    rules = zone_of(zone)
    # Clocks are changed by less than a day: the offsets of a day before and a day after are those around the change.
    before, after = _offsets(local - DAY, rules), _offsets(local + DAY, rules)
    early, late = local - before, local - after
    early_holds = _offsets(early, rules) == before
    late_holds = _offsets(late, rules) == after
    chosen = np.where(early_holds | ~late_holds, early, late)
    return chosen if second is None else np.where(second & late_holds, late, chosen)


def shown_twice(local: NDArray[np.int64], zone: str) -> NDArray[np.bool_]:
    """Whether the clocks of a zone show a time twice, as when they are put back in autumn."""
    ones = np.ones(len(local), np.bool_)
    return np.asarray(utc_of(local, zone) != utc_of(local, zone, ones))


def _offsets(utc: NDArray[np.int64], rules: datetime.tzinfo) -> NDArray[np.int64]:
    """The microseconds by which a zone's clocks are ahead of UTC."""
    if not len(utc):
        return utc
    if utc.min() < _FIRST or utc.max() > _LAST:
        raise RunError("times in a time zone must lie between the years 1 and 9999")
    if isinstance(rules, datetime.timezone):
        return np.full(len(utc), _offset(0, rules))
    days, place = np.unique(utc // DAY, return_inverse=True)
    begins = np.array([_offset(day * DAY, rules) for day in days.tolist()], np.int64)
    ends = np.array([_offset((day + 1) * DAY, rules) for day in days.tolist()], np.int64)
    offsets = begins[place]
    for number in np.flatnonzero(begins != ends).tolist():
        change = _change(int(days[number]) * DAY, rules)
        offsets[(place == number) & (utc >= change)] = ends[number]
    return offsets


def _offset(utc: int, rules: datetime.tzinfo) -> int:
    offset = (_EPOCH + datetime.timedelta(microseconds=utc)).astimezone(rules).utcoffset()
    return 0 if offset is None else offset // datetime.timedelta(microseconds=1)


def _change(day: int, rules: datetime.tzinfo) -> int:
    """The first second of a day with the offset of the day's end."""
    low, high, late = 0, 86_400, _offset(day + DAY, rules)
    while low < high:
        middle = (low + high) // 2
        if _offset(day + middle * SECOND, rules) == late:
            high = middle
        else:
            low = middle + 1
    return day + low * SECOND
