"""A table opened for forecasting: its meaning, its series on their grid, and what was found out about them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from recurra.errors import RunError
from recurra.series.frames import table_of
from recurra.series.future import joined, panel_for_forecast
from recurra.series.guessing import guess_format
from recurra.series.panels import Note, OnGap, panel_of
from recurra.series.reading import read_table
from recurra.series.seasons import find_periods
from recurra.series.table import Table, listed
from recurra.series.table_format import describe
from recurra.tasks.series.settings import MOST_HORIZON

if TYPE_CHECKING:
    from recurra.series.panel import Panel
    from recurra.series.table_format import TableFormat
    from recurra.tasks.series.table_settings import TableSettings

USUAL_HORIZON = 12  # steps, where there is no season
LEAST_SEASONS = 3  # that a series must have for one of them to be the horizon


@dataclass(frozen=True, eq=False)
class OpenedTable:
    """A table, the meaning of its columns, and its series.

    Attributes:
        table: the table.
        form: the meaning of its columns.
        panel: the series.
    """

    table: Table
    form: TableFormat
    panel: Panel

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the known inputs' features, and those of the past inputs."""
        return self.form.known_features, self.form.past

    def without_rows(self) -> OpenedTable:
        """The series and the meaning of the columns alone, unless known inputs ahead may stand in the table's rows."""
        return self if self.form.known else replace(self, table=Table({}, self.table.source))

    @property
    def periods(self) -> tuple[int, ...]:
        """The seasons in steps, from the shortest: those of the calendar, and one that the values show."""
        return find_periods(self.panel.target, self.panel.frequency.periods)

    @property
    def usual_horizon(self) -> int:
        """The steps that are forecast by default: a season, or a third of the longest series if that is less."""
        longest = int(self.panel.lengths.max(initial=0))
        season = next((period for period in self.periods if period > 1), USUAL_HORIZON)
        return max(1, min(season, longest // LEAST_SEASONS, MOST_HORIZON))

    @property
    def least(self) -> float | None:
        """The least value that a forecast may have: zero where no series was ever below it; None for none."""
        values = self.panel.target
        return 0.0 if min(float(np.nanmin(each)) for each in values) >= 0 else None

    def note_short(self, horizon: int, note: Note) -> None:
        """Note how many series are too short to be learned from, if others are not."""
        short = np.flatnonzero(self.panel.lengths <= horizon)
        if 0 < len(short) < len(self.panel):
            names = listed([self.panel.ids[place] for place in short[:4]], 3)
            note(
                f"{len(short)} series have no more values than the horizon of {horizon} ({names}): nothing is learned "
                "from them, and they can be forecast all the same"
            )

    def summary(self, horizon: int) -> str:
        """The line that says how the table was understood, and how to overrule it."""
        return describe(self.form, len(self.table), len(self.panel), next(iter(self.periods), None), horizon)


def table_from(source: Any) -> Table:
    """The table of a file or a frame.

    Args:
        source: the path of a CSV or Parquet file; or a frame of pandas, polars or any library that narwhals knows, or a
            mapping of names to arrays or lists.

    Raises:
        RunError: it cannot be read.
    """
    return read_table(source) if isinstance(source, (str, os.PathLike)) else table_of(source)


def open_table(table: Table, settings: TableSettings, note: Note) -> OpenedTable:
    """Find out what a table says, and put its series on their grid, to train on them.

    Args:
        table: the table.
        settings: what the user says about it.
        note: called with each thing that the user should know, as one line.

    Raises:
        RunError: the table has a fault, or more than one meaning is possible; the message has the place and the remedy.
    """
    form = guess_format(
        table,
        settings.columns,
        frequency=settings.frequency,
        time_format=settings.time_format,
        zone=settings.zone,
    )
    panel = panel_of(table, form, cast(OnGap, settings.on_gap), note)
    return OpenedTable(table, form, panel)


def open_to_forecast(
    table: Table, form: TableFormat, horizon: int, note: Note, future: Table | None = None
) -> OpenedTable:
    """Put the series of a table on the grid of a trained model.

    Args:
        table: each series' history, and perhaps rows without the target for the known inputs ahead.
        form: the meaning of the columns that the model was trained on.
        horizon: the steps to forecast.
        note: called with each thing that the user should know, as one line.
        future: the known inputs ahead, if they are a table of their own.

    Raises:
        RunError: the table does not follow the training data, or known inputs do not reach far enough.
    """
    if future is not None:
        if not form.known:
            raise RunError(f"{future.source} is of no use: the model was trained without known inputs (--known)")
        table = joined(table, future)
    return OpenedTable(table, form, panel_for_forecast(table, form, horizon, note))
