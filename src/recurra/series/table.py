"""``Table``: columns of texts, numbers or times, with the place of each row for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What tables write in the place of a missing value, in small letters.
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nat", "<na>", "-", "?"})
_TRUTHS = {"true": 1.0, "false": 0.0}


def is_missing(text: str) -> bool:
    """Whether a text stands for a missing value, such as ``NA`` or nothing."""
    return text.strip().casefold() in MISSING


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """A column of numbers: float64 (rows,), NaN where missing; `whole` if it was made of whole numbers and truths."""

    numbers: NDArray[np.float64]
    whole: bool = False


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of texts: `texts` has each different one once, `codes` int32 (rows,) says which one a row has."""

    codes: NDArray[np.int32]
    texts: list[str]


@dataclass(frozen=True, eq=False)
class TimeColumn:
    """A column of times: int64 (rows,), microseconds since 1970 in UTC or on clocks without a zone."""

    utc: NDArray[np.int64]
    zone: str | None


AnyColumn = NumberColumn | TextColumn | TimeColumn


def text_column(texts: Iterable[str]) -> TextColumn:
    """A column of these texts, row by row."""
    index: dict[str, int] = {}
    codes = [index.setdefault(text, len(index)) for text in texts]
    return TextColumn(np.array(codes, np.int32), list(index))


def length_of(column: AnyColumn) -> int:
    """The number of rows of a column."""
    if isinstance(column, NumberColumn):
        return len(column.numbers)
    return len(column.codes if isinstance(column, TextColumn) else column.utc)


@dataclass(frozen=True, eq=False)
class Table:
    """A table as it was read.

    Attributes:
        columns: the columns by name, in order; all of one length.
        source: the name of the table in messages: a file's, or ``the frame``.
        lines: int64 (rows,), the line of each row in its file, the first line being 1; None for a frame.
    """

    columns: dict[str, AnyColumn]
    source: str
    lines: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return next((length_of(column) for column in self.columns.values()), 0)

    def place(self, row: int) -> str:
        """The words for the place of a row: ``line 18``, or for frames ``row 17``, the first one being 0."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    def column(self, name: str, what: str = "column") -> AnyColumn:
        """A column by its name.

        Args:
            name: the name.
            what: the word for the column in the message. Default ``"column"``.

        Raises:
            RunError: there is no such column; the message has the nearest name.
        """
        if name not in self.columns:
            raise RunError(f"{self.source} has no {what} {one_line(name, 60)}{nearest(name, self.columns)}")
        return self.columns[name]


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name that is not known: the nearest of the names, or some of them."""
    known = list(names)
    folded = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(name.casefold(), folded, 1)
    if found:
        return f"; did you mean {one_line(folded[found[0]], 60)}?"
    return f"; it has {listed(known)}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Some names with commas between: at most so many."""
    shown = ", ".join(one_line(name, 40) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def texts_of(column: NumberColumn | TextColumn) -> TextColumn:
    """A column's values as texts, as for ids and categories: whole numbers without a point, nothing where missing."""
    if isinstance(column, TextColumn):
        stripped = [text.strip() for text in column.texts]
        unique = text_column(stripped)
        return TextColumn(unique.codes[column.codes], unique.texts)
    values, codes = np.unique(column.numbers, return_inverse=True)
    return TextColumn(codes.astype(np.int32).reshape(-1), [number_text(value) for value in values.tolist()])


def number_text(value: float) -> str:
    """The shortest text of a number, without a point if it is whole; nothing for NaN."""
    if value != value:
        return ""
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)


def numbers_of(table: Table, name: str) -> NDArray[np.float64]:
    """A column as numbers: float64 (rows,), NaN where missing.

    Raises:
        RunError: there is no such column, or a row has a text in it; the message has the row and the text.
    """
    column = table.column(name)
    if isinstance(column, NumberColumn):
        return column.numbers
    if isinstance(column, TimeColumn):
        raise RunError(f"column {one_line(name, 60)} of {table.source} has times; numbers are needed here")
    values = np.array([_number(text) for text in column.texts], np.float64)
    wrong = [code for code, (text, value) in enumerate(zip(column.texts, values, strict=True)) if _is_text(text, value)]
    if wrong:
        rows = np.flatnonzero(np.isin(column.codes, wrong))
        if rows.size:
            text = column.texts[column.codes[rows[0]]]
            raise RunError(
                f"column {one_line(name, 60)} has the text '{one_line(text, 40)}' at {table.place(int(rows[0]))} of "
                f"{table.source}; write a number such as 1234.5, or nothing where it is missing"
            )
    return values[column.codes] if len(values) else np.zeros(0)


def _number(text: str) -> float:
    folded = text.strip().casefold()
    if folded in _TRUTHS:
        return _TRUTHS[folded]
    try:
        return float(folded) if "_" not in folded else np.nan
    except ValueError:
        return np.nan


def _is_text(text: str, value: float) -> bool:
    return bool(np.isnan(value)) and not is_missing(text)
