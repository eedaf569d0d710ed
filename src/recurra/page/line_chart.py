"""Line charts: named lines over numbers, with a legend, numbers at the pointer and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recurra.page import plot
from recurra.page.parts import DataTable, Details
from recurra.page.plot import Axes, Readout
from recurra.page.ticks import Mark, number_marks, shown

COLOURS = 6  # of lines, in theme.css
MOST_POINTS = 600  # of a line that are drawn
MOST_ROWS = 60  # of the table of numbers
LARGEST = 1e300  # a value from here on is drawn as an infinite one is
_Points = tuple[NDArray[np.float64], NDArray[np.float64]]  # places and values of a line


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a chart.

    Attributes:
        name: its name in the legend.
        x: the places of its points: numbers (points,), ascending.
        y: their values: numbers (points,); the line is broken where one is NaN or infinite, or beyond ±1e300.
        kind: ``solid`` or ``dashed``. Default ``solid``.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    kind: Literal["solid", "dashed"] = "solid"

    def points(self) -> _Points:
        """The line's places and values: float64 (points,) each.

        Raises:
            ValueError: they are not as many, or not one-dimensional; or a place is not finite.
        """
        x, y = np.asarray(self.x, np.float64), np.asarray(self.y, np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(
                f"line {self.name!r}: x and y must be (points,) of one length; got {x.shape} and {y.shape}"
            )
        if not np.isfinite(x).all():
            raise ValueError(f"line {self.name!r}: x must be finite")
        return x, y


@dataclass(frozen=True)
class LineChart:
    """A chart of lines.

    Of a line of more than 600 points those are drawn that are lowest and highest among their neighbours; a line below
    the chart says so.

    Attributes:
        title: what it shows.
        lines: the lines; at least one.
        x_label: the name of the horizontal axis.
        y_label: the name of the vertical axis.
        log_y: whether the vertical axis is logarithmic; values that are not positive are then left out. Default False.
    """

    title: str
    lines: Sequence[Line]
    x_label: str
    y_label: str
    log_y: bool = False

    style: ClassVar[tuple[str, ...]] = (
        plot.STYLE,
        Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
    )
    script: ClassVar[str] = plot.SCRIPT

    def html(self) -> str:
        """The chart as HTML.

        Raises:
            ValueError: there is no line, or one has not as many x as y, or an x that is not finite.
        """
        if not self.lines:
            raise ValueError(f"the chart {self.title!r} has no lines")
        whole = [self._finite(line) for line in self.lines]
        drawn = [_thinned(x, y) for x, y in whole]
        axes = self._axes(drawn)
        marks = _x_marks(axes, drawn)
        inner = []
        for number, (x, y) in enumerate(drawn):
            inner.append(f'<path class="{self._class(number)}" d="{axes.path(x.tolist(), y.tolist())}"/>')
            inner += _dots(number, x, y, axes)
        return (
            f'<figure class="line-chart">\n<figcaption class="title">{escape(self.title)}</figcaption>\n'
            + self._legend()
            + f'<p class="axis-name">{escape(self.y_label)}</p>\n'
            + plot.plot(axes, marks, "\n".join(inner), self.title, self._readout(drawn, axes))
            + f'<p class="axis-name of-x">{escape(self.x_label)}</p>\n'
            + self._left_out(whole, drawn)
            + Details("In numbers", [self._table(drawn)]).html()
            + "</figure>\n"
        )

    def _finite(self, line: Line) -> _Points:
        x, y = line.points()
        return x, np.where((np.abs(y) < LARGEST) & ((y > 0) | (not self.log_y)), y, np.nan)

    def _axes(self, drawn: Sequence[_Points]) -> Axes:
        """The axes that hold all lines, with a little room above and below."""
        x, y = (np.concatenate([each[axis] for each in drawn]) for axis in (0, 1))
        y = y[np.isfinite(y)]
        first, last = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
        low, high = (float(y.min()), float(y.max())) if len(y) else (0.1, 1.0)
        if first == last:
            around = max(0.5, abs(first) * 1e-6)
            first, last = first - around, last + around
        if self.log_y:
            decades = math.log(high) - math.log(low)
            room = math.exp(0.04 * decades) if decades > 1e-9 else 2.0
            return Axes(first, last, max(low / room, 1e-307), max(high * room, 1e-306), log_y=True)
        room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        bottom = 0.0 if 0 <= low <= 0.3 * high else low - room  # zero is near: it says how large the changes are
        return Axes(first, last, bottom, high + room)

    def _class(self, number: int) -> str:
        dashed = " dashed" if self.lines[number].kind == "dashed" else ""
        return f"series{number % COLOURS}{' again' if number >= COLOURS else ''}{dashed}"

    def _legend(self) -> str:
        """The names of the lines; nothing for a lone line that the vertical axis names."""
        if [line.name for line in self.lines] == [self.y_label]:
            return ""
        keys = "".join(
            f'<li class="key"><i class="{self._class(number)}"></i>{escape(line.name)}</li>'
            for number, line in enumerate(self.lines)
        )
        return f'<ul class="keys">{keys}</ul>\n'

    def _rows(self, drawn: Sequence[_Points]) -> Iterator[tuple[str, list[str]]]:
        places = _places(drawn)
        for line, (x, y) in zip(self.lines, drawn, strict=True):
            texts = [""] * len(places)
            for place, value in zip(np.searchsorted(places, x).tolist(), y.tolist(), strict=True):
                texts[place] = number_text(value) if np.isfinite(value) else ""
            yield line.name, texts

    def _readout(self, drawn: Sequence[_Points], axes: Axes) -> Readout:
        places = _places(drawn).tolist()
        heads = [f"{self.x_label} {number_text(place)}" for place in places]
        return Readout([axes.x(place) for place in places], heads, dict(self._rows(drawn)))

    def _table(self, drawn: Sequence[_Points]) -> DataTable:
        places = _places(drawn)
        chosen = np.unique(np.linspace(0, len(places) - 1, min(len(places), MOST_ROWS)).astype(int)).tolist()
        columns = [texts for _, texts in self._rows(drawn)]
        rows = [(number_text(places[at]), *(texts[at] for texts in columns)) for at in chosen]
        caption = f"{len(chosen):,} of {len(places):,} places" if len(chosen) < len(places) else ""
        return DataTable(caption, (self.x_label, *(line.name for line in self.lines)), rows)

    def _left_out(self, whole: Sequence[_Points], drawn: Sequence[_Points]) -> str:
        pairs = zip(self.lines, whole, drawn, strict=True)
        texts = [
            f"{line.name}: {len(some[0]):,} of {len(all_of_it[0]):,} points are drawn, the lowest and highest"
            for line, all_of_it, some in pairs
            if len(some[0]) < len(all_of_it[0])
        ]
        return f'<p class="quiet">{escape(". ".join(texts))}.</p>\n' if texts else ""


def number_text(value: float) -> str:
    """A number with five significant digits, and no more of them than it has."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.5g}"


def _x_marks(axes: Axes, drawn: Sequence[_Points]) -> list[Mark]:
    """Marks at round numbers; at whole ones where all places are whole, such as updates."""
    marks = number_marks(axes.first, axes.last)
    if not all((x == x.round()).all() for x, _ in drawn):
        return marks
    whole = [round(mark.at) for mark in marks if math.isclose(mark.at, round(mark.at), abs_tol=1e-9)]
    return [Mark(at, shown(at, max(1.0, marks[1].at - marks[0].at))) for at in whole]


def _places(drawn: Sequence[_Points]) -> NDArray[np.float64]:
    return np.unique(np.concatenate([x for x, _ in drawn]))


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> _Points:
    """At most 600 points: of each group of neighbours the lowest and the highest, and both ends."""
    if len(x) <= MOST_POINTS:
        return x, y
    chosen = {0, len(x) - 1}
    for group in np.array_split(np.arange(len(x)), MOST_POINTS // 2 - 1):
        there = group[np.isfinite(y[group])]
        if len(there):
            chosen |= {int(there[y[there].argmin()]), int(there[y[there].argmax()])}
        else:
            chosen.add(int(group[0]))  # a gap stays a gap
    kept = np.array(sorted(chosen))
    return x[kept], y[kept]


def _dots(number: int, x: NDArray[np.float64], y: NDArray[np.float64], axes: Axes) -> list[str]:
    """Dots for points without neighbours, which no line shows."""
    around = np.pad(np.isfinite(y), 1)
    lone = np.flatnonzero(around[1:-1] & ~around[:-2] & ~around[2:]).tolist()
    kind = f"dot series{number % COLOURS}"
    return [plot.dot(kind, axes, float(x[each]), float(y[each])) for each in lone]
