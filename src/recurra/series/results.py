"""Forecasts as tables, with the ids and times of the table that they were made from."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.grouping import JOINT
from recurra.series.table import AnyColumn, NumberColumn, Table, TextColumn, TimeColumn, number_text, text_column
from recurra.series.times import times_as_text
from recurra.series.zones import local_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.forecast import Forecast
    from recurra.series.panel import Panel
    from recurra.series.table_format import TableFormat

WIDE_ID = "series"  # the column of ids of a forecast from a wide table
STEP = "step"  # the column of times of a forecast from a table without times


def forecast_table(forecast: Forecast, form: TableFormat) -> Table:
    """The table of a forecast: ids, time, ``forecast`` (the median), and a column for each quantile, as ``q05``.

    Args:
        forecast: the forecast.
        form: the format of the table that it was made from.

    Returns:
        A row for each series and step; times and ids stand in it as they do in the table.
    """
    series, horizon = forecast.quantiles.shape[:2]
    positions = (forecast.positions[:, None] + np.arange(horizon)).reshape(-1)
    columns = columns_of_rows(form, list(forecast.ids), np.repeat(np.arange(series), horizon), positions)
    columns["forecast"] = NumberColumn(forecast.median.reshape(-1))
    for number, level in enumerate(forecast.levels):
        columns[level_name(level)] = NumberColumn(forecast.quantiles[:, :, number].reshape(-1))
    return Table(columns, "the forecast")


def paths_table(paths: NDArray[np.float64], panel: Panel, form: TableFormat) -> Table:
    """The table of sample paths after each series' end: ids, time, ``sample`` (from 1) and ``forecast``.

    Args:
        paths: float64 (series, samples, horizon).
        panel: the series.
        form: the format of the table that they were made from.

    Returns:
        A row for each series, path and step.
    """
    row, sample, step = (each.reshape(-1) for each in np.indices(paths.shape))
    columns = columns_of_rows(form, list(panel.ids), row, (panel.starts + panel.lengths)[row] + step)
    columns["sample"] = NumberColumn(sample + 1.0, True)
    columns["forecast"] = NumberColumn(paths.reshape(-1))
    return Table(columns, "the sample paths")


def level_name(level: float) -> str:
    """The name of a quantile's column: ``q05`` of 0.05, ``q975`` of 0.975."""
    return "q" + f"{level:.6f}"[2:].rstrip("0").ljust(2, "0")


def columns_of_rows(
    form: TableFormat, ids: list[str], series: NDArray[np.int64], positions: NDArray[np.int64]
) -> dict[str, AnyColumn]:
    """The columns of ids and times of rows.

    Args:
        form: the format of the table.
        ids: the names of series.
        series: int64 (rows,), the number of each row's series.
        positions: int64 (rows,).
    """
    columns: dict[str, AnyColumn] = {}
    if form.is_wide:
        columns[WIDE_ID] = _ids(ids, series, False)
    for place, (name, whole) in enumerate(zip(form.ids, form.whole_ids, strict=True)):
        parts = [each.split(JOINT)[place] for each in ids] if len(form.ids) > 1 else ids
        columns[name] = _ids(parts, series, whole)
    columns[form.time or STEP] = times_column(form, positions)
    return columns


def _ids(ids: list[str], series: NDArray[np.int64], whole: bool) -> AnyColumn:
    if whole and all(each.lstrip("-").isdigit() for each in ids):
        return NumberColumn(np.array(ids, np.float64)[series], True)
    column = text_column(ids)
    return TextColumn(column.codes[series], column.texts)


def times_column(form: TableFormat, positions: NDArray[np.int64]) -> AnyColumn:
    """The column of times of positions, as they stand in a table.

    Args:
        form: the format of the table.
        positions: int64 (rows,).
    """
    times = form.frequency.times(positions).astype(np.int64)
    zone = form.frequency.zone
    if form.frequency.is_step:
        return NumberColumn(times.astype(np.float64), True)
    if form.time_kind in ("time", "clock"):
        return TimeColumn(times, zone) if form.time_kind == "time" else TimeColumn(local_of(times, zone), None)
    texts = times_as_text(times, form.time_pattern or "%Y-%m-%d", zone)
    if form.time_kind == "number" and all(text.replace(".", "", 1).isdigit() for text in texts):
        return NumberColumn(np.array(texts, np.float64), all(map(str.isdigit, texts)))
    return text_column(texts)


def write_csv(table: Table) -> str:
    """Write a table as CSV: numbers with at most ten digits, nothing where a value is missing, times as ISO texts."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(zip(*(fields_of(column) for column in table.columns.values()), strict=True))
    return text.getvalue()


def fields_of(column: AnyColumn) -> list[str]:
    """The texts of a column in a CSV file."""
    if isinstance(column, TextColumn):
        return [column.texts[code] for code in column.codes.tolist()]
    if isinstance(column, TimeColumn):
        pattern = "%Y-%m-%d %H:%M:%S" + ("%:z" if column.zone else "")
        return times_as_text(column.utc, pattern, column.zone)
    if column.whole:
        return [number_text(value) for value in column.numbers.tolist()]
    return ["" if value != value else f"{value:.10g}" for value in column.numbers.tolist()]
