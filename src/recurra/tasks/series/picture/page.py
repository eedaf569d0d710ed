"""The page around the charts of forecasts: a choice of the series, sentences and a table of figures, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from recurra.tasks.series.picture.chart import INTERVALS, Chart, svg
from recurra.version import __version__

MOST_CHARTS = 50  # of a page; each takes some 30 kB


@dataclass(frozen=True)
class FigureTable:
    """A table of figures.

    Attributes:
        caption: what it shows.
        head: the names of the columns.
        rows: texts of the cells; the first row is of the forecaster itself.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Page:
    """A page of forecasts.

    Attributes:
        title: its headline.
        charts: the charts of the first series; a page holds at most 50.
        total: the number of series of the forecast; more than charts where there are too many to show.
        sentences: what is to be said about them.
        table: figures beside those of naive forecasts; None for none.
        naive: what the naive forecast is, such as ``seasonal naive``.
    """

    title: str
    charts: tuple[Chart, ...]
    total: int
    sentences: Sequence[str] = ()
    table: FigureTable | None = None
    naive: str = field(default="naive forecast")

    def html(self) -> str:
        """The page as HTML that refers to no other file."""
        here = Path(__file__)
        style, script = (here.with_suffix(kind).read_text(encoding="utf-8") for kind in (".css", ".js"))
        title = escape(self.title)
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
            + "".join(f"<p>{escape(sentence)}</p>\n" for sentence in self.sentences)
            + self._bar()
            + "".join(_figure(chart, number) for number, chart in enumerate(self.charts))
            + ("" if self.table is None else _table(self.table, is_first_own=True))
            + "".join(_numbers(chart, number) for number, chart in enumerate(self.charts))
            + f"</main>\n<footer>Made by recurra {__version__}.</footer>\n"
            + f"<script>\n{script}</script>\n</body>\n</html>\n"
        )

    def _bar(self) -> str:
        """The choice of a series, and the key of the lines."""
        keys = [("observed", "Observed"), ("median", "Forecast (median)")]
        keys += [(f"band{name}", f"{name} % interval") for name, *_ in reversed(INTERVALS)]
        if any(fan.naive is not None for chart in self.charts for fan in chart.fans):
            keys.append(("naive", self.naive[:1].upper() + self.naive[1:]))
        shown = "".join(f'<span class="key"><i class="{kind}"></i>{escape(text)}</span>' for kind, text in keys)
        return f'<div class="bar">{self._chooser()}{shown}</div>\n'

    def _chooser(self) -> str:
        if len(self.charts) < 2:
            return ""
        options = "".join(
            f'<option value="{number}">{escape(chart.name)}</option>' for number, chart in enumerate(self.charts)
        )
        some = f"the first {len(self.charts):,} of {self.total:,} series" if self.total > len(self.charts) else ""
        rest = f' <span class="quiet">({some})</span>' if some else ""
        return f"<label>Series <select>{options}</select>{rest}</label>"


def _hidden(number: int) -> str:
    return f'data-series="{number}"' + (" hidden" if number else "")


def _figure(chart: Chart, number: int) -> str:
    return f"<figure {_hidden(number)}>\n{svg(chart)}\n</figure>\n"


def _table(table: FigureTable, *, is_first_own: bool) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = ""
    for number, row in enumerate(table.rows):
        kind = ' class="own"' if is_first_own and not number else ""
        rows += f"<tr{kind}>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>\n"
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n"


def _numbers(chart: Chart, number: int) -> str:
    """The forecast as a table, for readers of the screen and for copying."""
    rows = []
    for fan in chart.fans:
        columns = [fan.at(level) for level in (0.05, 0.1, 0.5, 0.9, 0.95)]
        there = [column for column in columns if column is not None]
        texts = zip(chart.times(fan.positions), *(map(_number, column) for column in there), strict=True)
        rows += [tuple(row) for row in texts]
    levels = [level for level in (0.05, 0.1, 0.5, 0.9, 0.95) if level in chart.fans[0].levels]
    head = ("time", *("median" if level == 0.5 else f"{level:.0%}" for level in levels))
    table = _table(FigureTable("", head, tuple(rows)), is_first_own=False)
    return f"<details {_hidden(number)}><summary>The forecast in numbers</summary>\n{table}</details>\n"


def _number(value: float) -> str:
    return f"{value:,.6g}" if np.isfinite(value) else ""
