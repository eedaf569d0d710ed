"""Columns that are read part by part: numbers as long as all fields are numbers, else texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.table import AnyColumn, NumberColumn, TextColumn, is_missing, number_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A zero in front, as of 007, is a part of a name; a number written so would be another text when it is written back, as
# would one of more digits than a number has.
_NAME_LIKE = re.compile(r"\s*[+-]?0\d|.*_|\s*[+-]?(9\d{15}|\d{17,})\s*$", re.ASCII)
# Fields that are all months are texts as well: as a number 2020.10 would be 2020.1. Some must have two digits, as
# numbers with one decimal look the same.
_MONTH = re.compile(r"\s*(1[789]|2[01])\d\d\.(0?[1-9]|1[0-2])\s*", re.ASCII)
_TWO_DIGITS = re.compile(r".*\.\d\d\s*", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+(,\d+)?([eE][+-]?\d+)?\s*", re.ASCII)
_LONGEST = 40  # characters of fields that are turned into numbers together: an array has as many for each


class GrowingColumn:
    """A column of a file, to which fields are added part by part.

    Args:
        decimal_comma: whether ``1,5`` may be a number.
    """

    def __init__(self, decimal_comma: bool) -> None:
        self._decimal_comma = decimal_comma
        self._parts: list[NDArray[np.float64] | NDArray[np.int32]] = []
        self._index: dict[str, int] | None = None
        self._whole = True

    def extend(self, fields: Sequence[str]) -> None:
        """Add fields to the end."""
        if self._index is None:
            numbers = self._numbers(fields)
            if numbers is not None:
                self._parts.append(numbers)
                self._whole &= bool((numbers == np.floor(numbers)).all())
                return
            self._to_texts()
        index = self._index
        assert index is not None
        codes = [index.setdefault(field, len(index)) for field in fields]
        self._parts.append(np.array(codes, np.int32))

    def column(self) -> AnyColumn:
        """The column of all fields."""
        if self._index is not None:
            return TextColumn(np.concatenate(self._parts).astype(np.int32, copy=False), list(self._index))
        return NumberColumn(np.concatenate(self._parts).astype(np.float64, copy=False), self._whole)

    def _numbers(self, fields: Sequence[str]) -> NDArray[np.float64] | None:
        """The fields as numbers, NaN where missing; None where one is a text."""
        if any(map(_NAME_LIKE.match, fields)) or (not self._parts and _are_months(fields)):
            return None
        if max(map(len, fields)) <= _LONGEST:
            try:
                return np.array(fields, dtype=np.str_).astype(np.float64)
            except ValueError:
                pass
        if all(map(is_missing, fields)) and any(field.strip() for field in fields):
            return None  # NA may be a name, such as a country's
        values = np.empty(len(fields), np.float64)
        for number, field in enumerate(fields):
            if is_missing(field):
                values[number] = np.nan
                continue
            if self._decimal_comma and "," in field and _DECIMAL_COMMA.fullmatch(field):
                field = field.replace(",", ".")
            try:
                values[number] = float(field)
            except ValueError:
                return None
        return values

    def _to_texts(self) -> None:
        """Turn the numbers so far into texts, as the column has turned out to be one of texts."""
        self._index = {}
        parts, index = self._parts, self._index
        self._parts = []
        for part in parts:
            codes = [index.setdefault(number_text(value), len(index)) for value in part.tolist()]
            self._parts.append(np.array(codes, np.int32))


def _are_months(fields: Sequence[str]) -> bool:
    return all(map(_MONTH.fullmatch, fields)) and any(map(_TWO_DIGITS.fullmatch, fields))
