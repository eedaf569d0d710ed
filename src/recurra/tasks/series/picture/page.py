"""The page around the charts of forecasts: a choice of the series, sentences and a table of figures, in one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import ClassVar

import numpy as np

from recurra.page import plot
from recurra.page.document import Document, PagePart
from recurra.page.parts import DataTable, Details, Text
from recurra.tasks.series.picture.chart import INTERVALS, STYLE, Chart

MOST_CHARTS = 50  # of a page
LARGEST = 280_000  # bytes of a page's charts and their tables
_LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)  # of the table of numbers


@dataclass(frozen=True)
class Page:
    """A page of forecasts.

    Attributes:
        title: its headline.
        charts: the charts of the first series; a page shows at most 50, and no more than fit in 300 kB.
        total: the number of series of the forecast; more than charts where there are too many to show.
        sentences: what is to be said about them.
        table: figures beside those of naive forecasts, whose first row is of the forecaster itself; None for none.
        naive: what the naive forecast is, such as ``seasonal naive``.
    """

    title: str
    charts: tuple[Chart, ...]
    total: int
    sentences: Sequence[str] = ()
    table: DataTable | None = None
    naive: str = field(default="naive forecast")

    def html(self) -> str:
        """The page as HTML that refers to no other file."""
        return self.document().html()

    def document(self) -> Document:
        """The page in its frame."""
        charts, tables = self._fitting()
        parts: list[PagePart] = [Text(self.sentences)]
        if len(charts) > 1:
            parts.append(_Chooser(tuple(chart.name for chart in self.charts[: len(charts)]), self.total))
        parts += [Keys(self.charts, self.naive), *charts]
        parts += [] if self.table is None else [self.table]
        return Document(self.title, [*parts, *tables])

    def _fitting(self) -> tuple[list[_OfSeries], list[_OfSeries]]:
        """The charts of the first series and the tables of their numbers, as many as fit in a page."""
        charts: list[_OfSeries] = []
        tables: list[_OfSeries] = []
        size = 0
        for number, chart in enumerate(self.charts):
            drawn = _OfSeries(number, chart.html(), chart.style, chart.script)
            table = _OfSeries(number, Details("The forecast in numbers", [numbers(chart)]).html())
            size += len(drawn.inner.encode()) + len(table.inner.encode())
            if charts and size > LARGEST:
                break
            charts.append(drawn)
            tables.append(table)
        return charts, tables


@dataclass(frozen=True)
class Keys:
    """The key of the lines of charts.

    Attributes:
        charts: the charts.
        naive: what the naive forecast is, such as ``seasonal naive``.
    """

    charts: Sequence[Chart]
    naive: str = "naive forecast"

    style: ClassVar[tuple[str, ...]] = (plot.STYLE, STYLE)

    def html(self) -> str:
        """The key as HTML."""
        texts = "".join(f'<li class="key"><i class="{kind}"></i>{escape(text)}</li>' for kind, text in self._keys())
        return f'<ul class="keys">{texts}</ul>\n'

    def _keys(self) -> Iterator[tuple[str, str]]:
        yield from (("observed", "Observed"), ("median", "Forecast (median)"))
        for name, *_ in reversed(INTERVALS):
            yield f"band{name}", f"{name} % interval"
        if any(fan.naive is not None for chart in self.charts for fan in chart.fans):
            yield "naive", self.naive[:1].upper() + self.naive[1:]


@dataclass(frozen=True)
class _Chooser:
    """The choice of the series that is shown."""

    names: tuple[str, ...]
    total: int

    script: ClassVar[str] = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

    def html(self) -> str:
        options = "".join(f'<option value="{number}">{escape(name)}</option>' for number, name in enumerate(self.names))
        some = f"the first {len(self.names):,} of {self.total:,} series" if self.total > len(self.names) else ""
        rest = f' <span class="quiet">({some})</span>' if some else ""
        return f'<p><label>Series <select id="series">{options}</select></label>{rest}</p>\n'


@dataclass(frozen=True)
class _OfSeries:
    """A part that is shown while its series is the chosen one."""

    number: int
    inner: str
    style: tuple[str, ...] = ()
    script: str = ""

    def html(self) -> str:
        return f'<div data-series="{self.number}"{" hidden" if self.number else ""}>\n{self.inner}</div>\n'


def numbers(chart: Chart) -> DataTable:
    """The forecasts of a chart as a table, for readers of the screen and for copying."""
    levels = [level for level in _LEVELS if level in chart.fans[0].levels]
    head = ("time", *("median" if level == 0.5 else f"{level:.0%}" for level in levels))
    rows = []
    for fan in chart.fans:
        columns = [column for column in map(fan.at, levels) if column is not None]
        texts = (map(_number, column.tolist()) for column in columns)
        rows += [tuple(row) for row in zip(chart.times(fan.positions), *texts, strict=True)]
    return DataTable("", head, rows)


def _number(value: float) -> str:
    return f"{value:,.6g}" if np.isfinite(value) else ""
