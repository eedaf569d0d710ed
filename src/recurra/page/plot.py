"""The frame of a chart: axes with their marks, and the numbers that a pointer or the arrow keys show."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from recurra.page.ticks import Mark, log_marks, number_marks

WIDTH, HEIGHT = 960, 420
RIGHT, TOP, BOTTOM = 16, 16, 34  # beside, above and below the axes
CHARACTER = 9  # the width of one of a mark, about, also on a phone
STYLE, SCRIPT = (Path(__file__).with_suffix(kind).read_text(encoding="utf-8") for kind in (".css", ".js"))


@dataclass(frozen=True)
class Axes:
    """The map from numbers to the drawing.

    Attributes:
        first: the left end of the horizontal axis.
        last: its right end.
        low: the lower end of the vertical axis.
        high: its upper end, above `low`.
        log_y: whether the vertical axis is logarithmic; `low` is positive then. Default False.
    """

    first: float
    last: float
    low: float
    high: float
    log_y: bool = False

    @cached_property
    def marks(self) -> list[Mark]:
        """The marks of the vertical axis, at round numbers."""
        return (log_marks if self.log_y else number_marks)(self.low, self.high)

    @cached_property
    def left(self) -> int:
        """The room on the left, which holds the marks of the vertical axis."""
        return 20 + CHARACTER * max((len(mark.text) for mark in self.marks), default=0)

    def x(self, position: float) -> float:
        """The place of a position from the drawing's left."""
        share = (position - self.first) / ((self.last - self.first) or 1)
        return self.left + share * (WIDTH - self.left - RIGHT)

    def y(self, value: float) -> float:
        """The place of a value from the drawing's top; of one below a logarithmic axis, the axis' lower end."""
        low, high = self.low, self.high
        if self.log_y:
            value, low, high = (math.log(max(each, self.low)) for each in (value, low, high))
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def point(self, position: float, value: float) -> str:
        """The place of a value as SVG writes points."""
        return f"{self.x(position):.1f},{self.y(value):.1f}"

    def path(self, positions: Iterable[float], values: Iterable[float]) -> str:
        """A line through the values as SVG writes paths, broken where they are not finite; empty if none is."""
        commands, is_down = [], False
        for position, value in zip(positions, values, strict=True):
            is_there = math.isfinite(value)
            if is_there:
                commands.append(f"{'L' if is_down else 'M'}{self.point(position, value)}")
            is_down = is_there
        return "".join(commands)

    def grid(self, x_marks: Sequence[Mark]) -> str:
        """The axes with their marks, as SVG.

        Args:
            x_marks: the marks of the horizontal axis.
        """
        lines = []
        for mark in self.marks:
            y = f"{self.y(mark.at):.1f}"
            lines.append(f'<line class="grid" x1="{self.left}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
            lines.append(
                f'<text class="mark" x="{self.left - 10}" y="{y}" dy="0.35em" text-anchor="end">{mark.text}</text>'
            )
        bottom = HEIGHT - BOTTOM
        for mark in x_marks:
            x = f"{self.x(mark.at):.1f}"
            lines.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 5}"/>')
            lines.append(
                f'<text class="mark" x="{x}" y="{bottom + 22}" text-anchor="middle">{escape(mark.text)}</text>'
            )
        lines.append(f'<line class="axis" x1="{self.left}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
        return "\n".join(lines)


@dataclass(frozen=True)
class Readout:
    """What the pointer and the arrow keys show at each place of a chart.

    Attributes:
        places: the places from the drawing's left, ascending.
        heads: a headline for each place, without line breaks.
        rows: named rows of numbers as texts, one for each place; an empty text is not shown.
    """

    places: Sequence[float]
    heads: Sequence[str]
    rows: Mapping[str, Sequence[str]]

    def as_json(self) -> str:
        """The places, headlines and numbers as the chart's script reads them."""
        content = {
            "places": [round(place, 1) for place in self.places],
            "heads": "\n".join(self.heads),
            "rows": {name: "|".join(texts) for name, texts in self.rows.items()},
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def plot(inner: str, title: str, readout: Readout) -> str:
    """A chart as HTML: the drawing, and what is read out of it; its page needs `STYLE` and `SCRIPT`.

    Args:
        inner: the content of the ``<svg>`` element of 960 × 420 units.
        title: what it shows.
        readout: the numbers to show.
    """
    name, points = escape(title), escape(readout.as_json())
    return (
        f'<div class="plot" tabindex="0" role="application" aria-roledescription="chart" aria-label="{name}. '
        f'The arrow keys, Home and End read it out.">\n'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}" data-points="{points}">\n'
        f'{inner}\n<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" visibility="hidden"/>\n</svg>\n'
        f'<div class="tip" aria-live="polite"></div>\n</div>\n'
    )
