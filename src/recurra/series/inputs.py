"""Inputs of series that are categories: as features of 0 and 1, or as numbers of categories."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.table import TextColumn, TimeColumn, listed, texts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.grouping import Grouped
    from recurra.series.table_format import TableFormat


def known_values(
    grouped: Grouped, name: str, categories: tuple[str, ...], note: Callable[[str], None]
) -> NDArray[np.float64]:
    """A known input's categories as features: float64 (rows, categories), 1 for the row's own, NaN where empty."""
    column = _texts(grouped, name)
    numbers = np.array([_number(text, categories) for text in column.texts], np.int64)[column.codes][grouped.rows]
    _note_unknown(name, column, categories, note)
    features = np.asarray(numbers[:, None] == np.arange(1, len(categories) + 1), np.float64)
    features[numbers < 0] = np.nan
    return features


def static_numbers(grouped: Grouped, form: TableFormat, note: Callable[[str], None]) -> NDArray[np.int64]:
    """The numbers of series' categories: int64 (series, static columns), 0 for one that is empty or not known.

    Raises:
        RunError: a category changes within a series.
    """
    series = grouped.times.series
    numbers = np.zeros((len(grouped.ids), len(form.static)), np.int64)
    for place, (name, categories) in enumerate(zip(form.static, form.static_categories, strict=True)):
        column = _texts(grouped, name)
        _note_unknown(name, column, categories, note)
        given = np.array([bool(text) for text in column.texts], np.bool_)[column.codes][grouped.rows]
        codes, rows = column.codes[grouped.rows][given], np.flatnonzero(given)
        changed = np.flatnonzero((np.diff(codes) != 0) & (np.diff(series[given]) == 0))
        if changed.size:
            first, other = int(changed[0]), int(changed[0]) + 1
            raise RunError(
                f"static column {one_line(name, 60)} changes from {one_line(column.texts[codes[first]], 40)} to "
                f"{one_line(column.texts[codes[other]], 40)} at {grouped.place(int(rows[other]))}; a category must "
                "stay within a series: repair it, or name the column with --known or --past"
            )
        found = np.array([max(_number(text, categories), 0) for text in column.texts], np.int64)
        numbers[series[given], place] = found[codes]
    return numbers


def _texts(grouped: Grouped, name: str) -> TextColumn:
    column = grouped.table.column(name)
    if isinstance(column, TimeColumn):
        raise RunError(f"column {one_line(name, 60)} has times, and cannot be a category")
    return texts_of(column)


def _number(text: str, categories: tuple[str, ...]) -> int:
    """The number of a category, from 1; 0 for one that is not known, -1 for nothing."""
    if not text:
        return -1
    return categories.index(text) + 1 if text in categories else 0


def _note_unknown(name: str, column: TextColumn, categories: tuple[str, ...], note: Callable[[str], None]) -> None:
    unknown = [text for text in column.texts if text and text not in categories]
    if unknown:
        note(f"column {one_line(name, 60)} has categories that were not trained on: {listed(unknown, 3)}")
