"""The patterns that a text of a time may follow, such as ``%d/%m/%Y`` and ``%m/%d/%Y`` for ``01/02/2020``."""

from __future__ import annotations

import re

_TIME = re.compile(
    r"(?P<date>.*?\d)(?P<gap>T|,? +|,)(?P<hour>\d{1,2})(?P<minute>:\d\d)?"
    r"(?P<second>:\d\d((?P<point>[.,])(?P<fraction>\d+))?)?"
    r"(?P<half> ?[AaPp][Mm])?(?P<space> ?)(?P<offset>Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATES = (
    (r"\d{1,2}([./-])\d{1,2}\1\d{4}", ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y")),
    (r"\d{1,2}([./-])\d{1,2}\1\d\d", ("%d{0}%m{0}%y", "%m{0}%d{0}%y")),
    (r"\d{4}([./-])\d{1,2}\1\d{1,2}", ("%Y{0}%m{0}%d",)),
    (r"\d{4}([./-]|M)\d{1,2}", ("%Y{0}%m",)),
    (r"\d{1,2}([./-])\d{4}", ("%m{0}%Y",)),
    (r"\d{8}", ("%Y%m%d",)),
    (r"\d{6}", ("%Y%m",)),
    (r"\d{4}", ("%Y",)),
    (r"\d{18,19}", ("%9s",)),
    (r"\d{4}([ -]?[Qq])[1-4]", ("%Y{0}%q",)),
    (r"\d{4}(-?W)\d\d", ("%G{0}%V",)),
    (r"\d{4}(-?W)\d\d(-?)[1-7]", ("%G{0}%V{1}%u",)),
    (r"([Qq])[1-4]([ /-]?)\d{4}", ("{0}%q{1}%Y",)),
    (r"[A-Za-z]{3,9}(\.?[ /-]?)\d{4}", ("%b{0}%Y", "%B{0}%Y")),
    (r"[A-Za-z]{3,9}([ /'-]+)\d\d", ("%b{0}%y", "%B{0}%y")),
    (r"\d{4}([ /-]?)[A-Za-z]{3,9}", ("%Y{0}%b", "%Y{0}%B")),
    (r"\d{1,2}(\.? ?|[/-])[A-Za-z]{3,9}([ /,-]*)\d{4}", ("%d{0}%b{1}%Y", "%d{0}%B{1}%Y")),
    (r"\d{1,2}(\.? ?|[/-])[A-Za-z]{3,9}([ /,-]*)\d\d", ("%d{0}%b{1}%y", "%d{0}%B{1}%y")),
    (r"[A-Za-z]{3,9}([ -])\d{1,2}(,? +|-)\d{4}", ("%b{0}%d{1}%Y", "%B{0}%d{1}%Y")),
)
_EXPRESSIONS = tuple((re.compile(expression, re.ASCII), patterns) for expression, patterns in _DATES)


def patterns_of(text: str) -> list[str]:
    """The patterns that a text may follow; none where it is no time."""
    text = text.strip()
    found = _TIME.fullmatch(text)
    if found is not None and (found["minute"] or _ISO_DATE.fullmatch(found["date"])):
        return [date + _time_pattern(found) for date in _date_patterns(found["date"])]
    return _date_patterns(text)


def _date_patterns(text: str) -> list[str]:
    return [
        pattern.format(*found.groups())
        for expression, patterns in _EXPRESSIONS
        if (found := expression.fullmatch(text))
        for pattern in patterns
    ]


def _time_pattern(found: re.Match[str]) -> str:
    pattern = found["gap"] + ("%I" if found["half"] else "%H") + (":%M" if found["minute"] else "")
    if found["second"]:
        pattern += ":%S"
    if found["fraction"]:
        pattern += f"{found['point']}%{min(len(found['fraction']), 9)}f"
    if found["half"]:
        pattern += found["half"][:-2] + "%p"
    offset = found["offset"] or ""
    return pattern + found["space"] + ("%:z" if ":" in offset else "%z" if offset[1:] else offset)
