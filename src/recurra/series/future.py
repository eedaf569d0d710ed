"""Tables at forecast time: checked against the training data, with known inputs ahead, and a template for these."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.detection import other_frequency
from recurra.series.guessing import time_kind
from recurra.series.panels import Note, panel_of, rows_of, time_text
from recurra.series.results import columns_of_rows
from recurra.series.table import (
    NumberColumn,
    Table,
    TextColumn,
    TimeColumn,
    listed,
    nearest,
    number_text,
    text_column,
)
from recurra.series.times import read_time_column

if TYPE_CHECKING:
    from recurra.series.panel import Panel
    from recurra.series.table import AnyColumn
    from recurra.series.table_format import TableFormat


def panel_for_forecast(table: Table, form: TableFormat, horizon: int, note: Note = lambda text: None) -> Panel:
    """The panel of a table that is to be forecast by a trained model.

    Series and categories that were not trained on are noted, and forecast all the same.

    Args:
        table: the table: each series' history, and rows without the target for the known inputs ahead.
        form: the format of the training data.
        horizon: the steps to forecast.
        note: called with each thing that the user should know. Default: nothing is said.

    Raises:
        RunError: a column of the training data is not there, the frequency is another, or known inputs do not reach far
            enough; and what :func:`recurra.series.panels.panel_of` refuses.
    """
    missing = [name for name in form.columns if name not in table.columns]
    if missing:
        raise RunError(
            f"{table.source} has no column {one_line(missing[0], 60)}, which the training data had"
            f"{nearest(missing[0], table.columns)}"
        )
    form = adapted_format(table, form)
    _check_frequency(table, form)
    panel = panel_of(table, form, "fill", note)
    trained = set(form.trained_ids or panel.ids)
    unknown = [name for name in panel.ids if name not in trained]
    if unknown:
        note(f"{len(unknown)} series were not trained on: {listed(unknown, 3)}")
    single = [name for name, values in zip(panel.ids, panel.target, strict=True) if len(values) == 1]
    if single:
        of = f"{len(single)} series" + (f" ({listed(single, 3)})" if single[0] else "")
        note(f"{of} with one value alone: the forecast is that value, without an interval")
    check_known(panel, form, horizon)
    return panel


def adapted_format(table: Table, form: TableFormat) -> TableFormat:
    """The format of a table that follows the training data, but may write its times and ids in another way.

    Args:
        table: the table, such as a frame of times where the training data had texts.
        form: the format of the training data.

    Returns:
        The format by which a forecast of this table is written: :func:`recurra.series.results.forecast_table`.

    Raises:
        RunError: the time column is not there, or a row is no time.
    """
    whole = tuple(isinstance(column := table.column(name), NumberColumn) and column.whole for name in form.ids)
    form = replace(form, whole_ids=whole)
    if form.time is None:
        return form
    zone = form.frequency.zone
    try:
        read = read_time_column(table, form.time, form.time_pattern, zone)
    except RunError as error:
        try:
            read = read_time_column(table, form.time, None, zone)
        except RunError:
            raise error from None
    return replace(form, time_kind=time_kind(table, form.time, read), time_pattern=read.pattern)


def check_known(panel: Panel, form: TableFormat, horizon: int) -> None:
    """Refuse a panel in which known inputs are missing in the steps to forecast.

    Raises:
        RunError: an input is missing; the message has the series, the input, the first date without it, and the date up
            to which it is needed.
    """
    if not form.known:
        return
    lacking = []
    for number, (length, known) in enumerate(zip(panel.lengths.tolist(), panel.known, strict=True)):
        ahead = known[length : length + horizon]
        given = ~np.isnan(ahead)
        if len(ahead) < horizon or not given.all():
            bad = np.flatnonzero(~given.all(1))
            lacking.append((number, int(bad[0]) if bad.size else len(ahead), given))
    if not lacking:
        return
    number, step, given = lacking[0]
    end = int(panel.starts[number] + panel.lengths[number])
    columns = [name.split("=")[0] for name in form.known_features]
    names = list(form.known) if step >= len(given) else list(dict.fromkeys(np.array(columns)[~given[step]].tolist()))
    of = f"series {one_line(panel.ids[number], 60)}" if panel.ids[number] else "the forecast"
    others = f" (as for {len(lacking) - 1} other series)" if len(lacking) > 1 else ""
    raise RunError(
        f"{of} needs known input {listed(names, 3)} until {time_text(panel.frequency, end + horizon - 1)}, and it is "
        f"missing from {time_text(panel.frequency, end + step)} on{others}; --template writes the rows to fill in"
    )


def future_template(panel: Panel, form: TableFormat, horizon: int) -> Table:
    """The table of the steps to forecast, with known inputs to be filled in.

    Args:
        panel: the series.
        form: the format of their table.
        horizon: the steps after each series' end.

    Returns:
        A row for each series and step: ids, time, and the known inputs, empty where they are not given yet.
    """
    series = np.repeat(np.arange(len(panel)), horizon)
    ends = panel.starts + panel.lengths
    positions = (ends[:, None] + np.arange(horizon)).reshape(-1)
    if form.is_wide:  # the rows of a wide table are those of all its series
        positions = np.unique(positions)
        series = np.zeros(len(positions), np.int64)
    columns = columns_of_rows(form, list(panel.ids), series, positions)
    wanted = {name: columns[name] for name in columns if name in form.columns}
    given = np.full((len(positions), len(form.known_features)), np.nan)
    for row, (number, position) in enumerate(zip(series.tolist(), positions.tolist(), strict=True)):
        step = position - int(panel.starts[number])
        if 0 <= step < len(panel.known[number]):
            given[row] = panel.known[number][step]
    column = 0
    for name, categories in zip(form.known, form.known_categories, strict=True):
        width = max(len(categories), 1)
        own = given[:, column : column + width]
        wanted[name] = _named(own, categories) if categories else NumberColumn(own[:, 0])
        column += width
    return Table(wanted, "the template")


def _named(features: np.ndarray[tuple[int, ...], np.dtype[np.float64]], categories: tuple[str, ...]) -> TextColumn:
    return text_column(categories[int(np.argmax(row))] if row.max() > 0 else "" for row in features)


def joined(history: Table, future: Table) -> Table:
    """The rows of two tables: a history, and the known inputs ahead. Columns that the second lacks are empty there.

    Raises:
        RunError: the second has a column that the first lacks, or one of another kind.
    """
    columns: dict[str, AnyColumn] = {}
    for name in future.columns:
        history.column(name)
    for name, column in history.columns.items():
        columns[name] = _appended(name, column, future.columns.get(name), len(future), future.source)
    lines = None
    if history.lines is not None and future.lines is not None:
        lines = np.concatenate([history.lines, future.lines])
    return Table(columns, f"{history.source} with {future.source}", lines)


def _appended(name: str, first: AnyColumn, second: AnyColumn | None, rows: int, source: str) -> AnyColumn:
    if isinstance(first, TimeColumn):
        if not isinstance(second, TimeColumn) or (first.zone is None) != (second.zone is None):
            raise RunError(f"column {one_line(name, 60)} of {source} has no times like those of the history")
        return TimeColumn(np.concatenate([first.utc, second.utc]), first.zone)
    if isinstance(second, TimeColumn):
        raise RunError(f"column {one_line(name, 60)} of {source} has times, and none in the history")
    if second is None:
        second = NumberColumn(np.full(rows, np.nan), True)
    if isinstance(first, NumberColumn) and isinstance(second, NumberColumn):
        return NumberColumn(np.concatenate([first.numbers, second.numbers]), first.whole)
    return text_column(_texts(first) + _texts(second))


def _texts(column: NumberColumn | TextColumn) -> list[str]:
    if isinstance(column, TextColumn):
        return [column.texts[code] for code in column.codes.tolist()]
    return [number_text(value) for value in column.numbers.tolist()]


def _check_frequency(table: Table, form: TableFormat) -> None:
    """Refuse a table of another frequency than the training data's."""
    found = other_frequency(rows_of(table, form).times, form.frequency)
    if found is not None:
        raise RunError(f"{table.source} is {found}, and the model was trained on data that are {form.frequency}")
