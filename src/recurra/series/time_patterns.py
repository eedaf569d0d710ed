"""Patterns of times in texts, as strptime writes them: read and written for whole arrays.

Beside strptime's ``%Y %y %m %d %G %V %u %H %I %M %S %p %b %B %z`` a pattern may have ``%q`` for the quarter, ``%1f``
to ``%9f`` for so many digits of a second's fraction, ``%:z`` for an offset with a colon, and ``%-m %-d %-H %-I`` for
numbers without a zero in front. ``%s`` alone is for the seconds since 1970 in UTC; ``%3s``, ``%6s`` and ``%9s`` are for
thousandths, millionths and billionths of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.zones import SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
AT_ONCE = 50_000  # texts that are read together: their characters take four bytes each
_DIRECTIVE = re.compile(r"%(-?[YymdGVuHIMSpbBzq]|:z|[1-9]?f|[369]?s|%)")
_TWO = r"(\d{1,2})"
_FORMS = {
    "Y": r"(\d{4})", "y": r"(\d\d)", "m": _TWO, "d": _TWO, "G": r"(\d{4})", "V": _TWO, "u": r"([1-7])",
    "H": _TWO, "I": _TWO, "M": _TWO, "S": _TWO, "p": r"([AaPp][Mm])", "b": r"([A-Za-z]{3})\.?", "B": r"([A-Za-z]{3,9})",
    "q": r"([1-4])", "f": r"(\d{1,9})", "z": r"(Z|[+-]\d\d:?\d\d)",
}  # fmt: skip
_UNIX = {"": 12, "3": 15, "6": 18, "9": 18}  # digits of %s, by its flag; one more of billionths, up to the year 2255
_NANO = 1_000  # billionths of a second in a microsecond
_NUMBERS = {name.casefold(): number for number, name in enumerate(MONTH_NAMES, 1)}
_NUMBERS |= {name[:3].casefold(): number for number, name in enumerate(MONTH_NAMES, 1)}


def _pieces(pattern: str) -> list[tuple[str, str]]:
    """A pattern as pieces: the letter of a directive, with its flag, or an empty letter with a text as it is."""
    pieces, end = [], 0
    for found in _DIRECTIVE.finditer(pattern):
        pieces.append(("", pattern[end : found.start()]))
        directive = found[1]
        pieces.append(("", "%") if directive == "%" else (directive[-1], directive[:-1]))
        end = found.end()
    pieces.append(("", pattern[end:]))
    if any("%" in text for letter, text in pieces if not letter and text != "%"):
        raise RunError(
            f"the time format {one_line(pattern, 40)} has a directive that is not known; there are %Y %y %m %d %H %I "
            "%M %S %f %p %b %B %q %z %s"
        )
    return [piece for piece in pieces if piece != ("", "")]


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that says no year, says something twice, mixes months and weeks, or has unknown directives.

    Raises:
        RunError: one of these.
    """
    letters = [letter for letter, _ in _pieces(pattern) if letter]
    if letters == ["s"]:
        return
    weeks = set(letters) & set("GVu")
    if weeks and (not weeks >= set("GV") or set(letters) & set("YymdbBq")):
        raise RunError(
            f"the time format {one_line(pattern, 40)} must have year and week of ISO 8601 (%G and %V) together, and no "
            "month"
        )
    if not {"Y", "y", "G"} & set(letters) or len(set(letters)) < len(letters):
        raise RunError(f"the time format {one_line(pattern, 40)} must have a year (%Y or %y), and nothing twice")


def match(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern's texts, with a group for each directive.

    Raises:
        RunError: the pattern has a directive that is not known.
    """
    return re.compile("".join(_expression(*piece) for piece in _pieces(pattern)), re.ASCII)


def _expression(letter: str, flag: str) -> str:
    """The regular expression of a piece, with a group if it is a directive."""
    if letter == "s":
        longest = r"|[1-8]\d{18}" if flag == "9" else ""
        return rf"(-?(?:\d{{1,{_UNIX[flag]}}}{longest}))"
    return _FORMS[letter] if letter else re.escape(flag)


def read_times(pattern: str, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, int]:
    """Read texts by a pattern.

    Args:
        pattern: the pattern.
        texts: the texts.

    Returns:
        The times on the texts' clocks, int64 microseconds since 1970; the clocks' offsets from UTC in microseconds,
        None where the pattern has none; and the number of the first text that is no such time, -1 if all are.
    """
    if len(texts) > AT_ONCE:
        return _read_in_parts(pattern, texts)
    pieces = _pieces(pattern)
    fields = _of_one_width(pieces, texts)
    if fields is not None:
        return _combined(fields, len(texts))
    expression = match(pattern)
    columns: dict[str, list[str]] = {letter: [] for letter, _ in pieces if letter}
    for number, text in enumerate(texts):
        found = expression.fullmatch(text.strip())
        if found is None:
            return np.zeros(0, np.int64), None, number
        for values, value in zip(columns.values(), found.groups(), strict=True):
            values.append(value)
    fields = {letter: _values(letter, values) for letter, values in columns.items()}
    if "s" in fields:
        times, between = _microseconds(fields["s"], pattern)
        return times, np.zeros(len(texts), np.int64), int(np.flatnonzero(between)[0]) if between.any() else -1
    return _combined(fields, len(texts))


def _read_in_parts(pattern: str, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, int]:
    """The result of ``read_times`` for texts that are too many to be read together."""
    times, offsets = [], []
    for begin in range(0, len(texts), AT_ONCE):
        local, own, wrong = read_times(pattern, texts[begin : begin + AT_ONCE])
        if wrong >= 0:
            return np.zeros(0, np.int64), None, begin + wrong
        times.append(local)
        offsets += [] if own is None else [own]
    return np.concatenate(times), np.concatenate(offsets) if offsets else None, -1


def has_one_width(pattern: str, texts: Sequence[str]) -> bool:
    """Whether all texts have the width of the pattern with all numbers padded."""
    widths = [_width(*piece) for piece in _pieces(pattern)]
    return 0 not in widths and all(len(text) == sum(widths) for text in texts)


def _of_one_width(pieces: list[tuple[str, str]], texts: Sequence[str]) -> dict[str, NDArray[np.int64]] | None:
    """The fields of texts that all have the pattern's width; None where they have not, or do not follow it."""
    widths = [_width(*piece) for piece in pieces]
    width = sum(widths)
    if not texts or 0 in widths or any(len(text) != width for text in texts):
        return None
    chars = np.array(texts, dtype=f"U{width}").view(np.uint32).reshape(len(texts), width)
    fields, end = {}, 0
    for (letter, flag), size in zip(pieces, widths, strict=True):
        part = chars[:, end : end + size]
        end += size
        if letter in _FORMS and letter not in "bpz":
            if ((part < ord("0")) | (part > ord("9"))).any():
                return None
            digits = part.astype(np.int64) - ord("0")
            fields[letter] = digits @ 10 ** np.arange(size)[::-1]
            if letter == "f":
                fields[letter] = fields[letter] * 10 ** max(6 - size, 0) // 10 ** max(size - 6, 0)
            continue
        unique, place = np.unique(part, axis=0, return_inverse=True) if letter else (_distinct(part), np.zeros(0))
        words = ["".join(map(chr, word)) for word in unique.tolist()]
        if letter and all(re.fullmatch(_FORMS[letter], word) for word in words):
            fields[letter] = _values(letter, words)[place.reshape(-1)]
        elif letter or words != [flag]:
            return None
    return fields


def _distinct(part: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The first row, and another one if any differs from it."""
    other = np.flatnonzero((part != part[0]).any(1))
    return part[[0, *other[:1]]]


def _width(letter: str, flag: str) -> int:
    """The number of characters of a piece; 0 where it may differ."""
    if not letter:
        return len(flag)
    if flag == "-" or letter in "Bs":
        return 0
    if letter == "f":
        return int(flag or 6)
    return {"Y": 4, "G": 4, "b": 3, "q": 1, "u": 1, "z": 6 if flag == ":" else 5}.get(letter, 2)


def _microseconds(numbers: NDArray[np.int64], pattern: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The times that numbers of a pattern with ``%s`` stand for, and which of them lie between microseconds."""
    if pattern == "%9s":
        return numbers // _NANO, numbers % _NANO != 0
    return numbers * _unit(pattern), np.zeros(len(numbers), np.bool_)


def _unit(pattern: str) -> int:
    """The microseconds of a unit of the numbers that a pattern with ``%s`` stands for."""
    return SECOND // int(10 ** int(next(flag for letter, flag in _pieces(pattern) if letter == "s") or 0))


def _values(letter: str, column: Sequence[str]) -> NDArray[np.int64]:
    if letter in "bB":
        return np.array([_NUMBERS.get(name.casefold(), 0) for name in column], np.int64)
    if letter == "p":
        return np.array([12 * (name in ("PM", "pm", "Pm", "pM")) for name in column], np.int64)
    if letter == "f":
        return np.array([int(digits.ljust(9, "0")) // 1000 for digits in column], np.int64)
    if letter == "z":
        return np.array([offset_of(text) for text in column], np.int64)
    return np.array(column, dtype=np.str_).astype(np.int64) if len(column) else np.zeros(0, np.int64)


def offset_of(text: str) -> int:
    """The microseconds of an offset such as ``+02:00``, ``-0530`` or ``Z``."""
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (-minutes if text[0] == "-" else minutes) * 60 * SECOND


def _combined(
    fields: dict[str, NDArray[np.int64]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, int]:
    zero = np.zeros(count, np.int64)
    days, right = _days_of_weeks(fields, count) if "G" in fields else _days_of_months(fields, count)
    hour = fields.get("H", zero)
    if "I" in fields:
        hour = fields["I"] % 12 + fields.get("p", zero)
        right &= (fields["I"] >= 1) & (fields["I"] <= 12)
    minute, second = fields.get("M", zero), fields.get("S", zero)
    right &= (hour < 24) & (minute < 60) & (second < 60)
    wrong = int(np.flatnonzero(~right)[0]) if not right.all() else -1
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    return seconds * SECOND + fields.get("f", zero), fields.get("z"), wrong


def _days_of_months(fields: dict[str, NDArray[np.int64]], count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The days since 1970 of years, months or quarters, and days; and whether there are such days."""
    one = np.ones(count, np.int64)
    year = fields["Y"] if "Y" in fields else fields["y"] + np.where(fields["y"] < 69, 2000, 1900)
    named = fields.get("b", fields.get("B"))
    month = 3 * fields["q"] - 2 if "q" in fields else fields.get("m", one) if named is None else named
    day = fields.get("d", one)
    months = np.clip((year - 1970) * 12 + month - 1, -23_640, 96_359)  # the years 0 to 9999
    begin, end = _first_days(months), _first_days(months + 1)
    return begin + day - 1, (month >= 1) & (month <= 12) & (day >= 1) & (day <= end - begin)


def _days_of_weeks(fields: dict[str, NDArray[np.int64]], count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The days since 1970 of years, weeks and weekdays of ISO 8601, by default Mondays; and whether there are such."""
    year, week, weekday = fields["G"], fields["V"], fields.get("u", np.ones(count, np.int64))
    begin, end = _first_week(year), _first_week(year + 1)
    return begin + 7 * (week - 1) + weekday - 1, (week >= 1) & (7 * week <= end - begin)


def _first_week(year: NDArray[np.int64]) -> NDArray[np.int64]:
    """The Monday of a year's first week, which has the fourth of January in it; in days since 1970, a Thursday."""
    fourth = _first_days((year - 1970) * 12) + 3
    return fourth - (fourth + 3) % 7


def _first_days(months: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first day of months since 1970, in days since 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def write_times(pattern: str, local: NDArray[np.int64], offsets: NDArray[np.int64]) -> list[str]:
    """Write times by a pattern.

    Args:
        pattern: the pattern.
        local: int64 (times,), microseconds since 1970 on the clocks of a zone.
        offsets: int64 (times,), how far these clocks are ahead of UTC, in microseconds.
    """
    pieces = _pieces(pattern)
    if any(letter == "s" for letter, _ in pieces):
        utc = local - offsets
        numbers = (utc * _NANO if pattern == "%9s" else utc // _unit(pattern)).tolist()
        return ["".join(str(number) if letter else flag for letter, flag in pieces) for number in numbers]
    days = local.view("datetime64[us]").astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    year, month = np.divmod(months.astype(np.int64) + 1970 * 12, 12)
    day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    number = days.astype(np.int64)
    weekday = (number + 3) % 7
    # A week belongs to the year of its Thursday.
    week_year = (number - weekday + 3).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    week = (number - _first_week(week_year)) // 7 + 1
    seconds, fraction = np.divmod(local - number * 86_400 * SECOND, SECOND)
    columns = (year, month + 1, day, seconds, fraction, offsets, week_year, week, weekday + 1)
    rows = zip(*(each.tolist() for each in columns), strict=True)
    return ["".join(_written(letter, flag, row) for letter, flag in pieces) for row in rows]


def _written(letter: str, flag: str, row: tuple[int, ...]) -> str:
    year, month, day, seconds, fraction, offset, week_year, week, weekday = row
    if not letter:
        return flag
    if letter in "bB":
        return MONTH_NAMES[month - 1][: 3 if letter == "b" else None]
    if letter == "p":
        return "PM" if seconds >= 43_200 else "AM"
    if letter == "q":
        return str((month + 2) // 3)
    if letter == "f":
        return f"{fraction * 1000:09d}"[: int(flag or 6)]
    if letter == "z":
        hours, minutes = divmod(abs(offset) // (60 * SECOND), 60)
        return f"{'-' if offset < 0 else '+'}{hours:02d}{':' if flag == ':' else ''}{minutes:02d}"
    if letter in "YG":
        return f"{year if letter == 'Y' else week_year:04d}"
    if letter == "u":
        return str(weekday)
    hour = seconds // 3600
    values = {
        "y": year % 100, "m": month, "d": day, "H": hour, "I": (hour + 11) % 12 + 1, "M": seconds // 60 % 60,
        "S": seconds % 60, "V": week,
    }  # fmt: skip
    return f"{values[letter]:d}" if flag == "-" else f"{values[letter]:02d}"
