"""The frame of a chart: axes with their marks, and the numbers that the pointer or the arrow keys show.

The drawing is stretched to the width of the page; marks are texts beside it, so that they stay as large as any text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from recurra.page.ticks import Mark, log_marks, number_marks

WIDTH, HEIGHT = 1000, 400  # units of the drawing, which is stretched to the page
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

    def x(self, position: float) -> float:
        """The place of a position from the drawing's left."""
        return (position - self.first) / ((self.last - self.first) or 1) * WIDTH

    def y(self, value: float) -> float:
        """The place of a value from the drawing's top; of one below a logarithmic axis, the axis' lower end."""
        low, high = self.low, self.high
        if self.log_y:
            value, low, high = (math.log(max(each, self.low)) for each in (value, low, high))
        return HEIGHT - (value - low) / (high - low) * HEIGHT

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


@dataclass(frozen=True)
class Readout:
    """What the pointer and the arrow keys show at each place of a chart.

    Attributes:
        places: the places from the drawing's left, ascending, in its units.
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


def plot(axes: Axes, x_marks: Sequence[Mark], inner: str, title: str, readout: Readout) -> str:
    """A chart as HTML, as wide as the page; its page needs `STYLE` and `SCRIPT`.

    Args:
        axes: the axes; the vertical one has marks at round numbers.
        x_marks: the marks of the horizontal axis.
        inner: what is drawn over them, as SVG of 1000 × 400 units. They are stretched: a dot is a line without length.
        title: what the chart shows.
        readout: the numbers to show.
    """
    y_marks = (log_marks if axes.log_y else number_marks)(axes.low, axes.high)
    lines = [f'<path class="grid" d="M0,{axes.y(mark.at):.1f}H{WIDTH}"/>' for mark in y_marks]
    lines += [f'<path class="tick" d="M{axes.x(mark.at):.1f},{HEIGHT}v-5"/>' for mark in x_marks]
    lines.append(f'<path class="axis" d="M0,{HEIGHT}H{WIDTH}"/>')
    beside = "".join(f'<span style="top:{axes.y(mark.at) / HEIGHT:.2%}">{mark.text}</span>' for mark in y_marks)
    below = "".join(f'<span style="left:{axes.x(mark.at) / WIDTH:.2%}">{escape(mark.text)}</span>' for mark in x_marks)
    characters = max((len(mark.text) for mark in y_marks), default=0)
    name, points, newline = escape(title), escape(readout.as_json()), "\n"
    return (
        f'<div class="plot" tabindex="0" role="application" aria-roledescription="chart" aria-label="{name}. '
        f'The arrow keys, Home and End read it out." style="--characters:{characters}">\n'
        f'<div class="y-marks" aria-hidden="true">{beside}</div>\n<div class="area">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{name}" '
        f'data-points="{points}">\n{newline.join(lines)}\n{inner}\n</svg>'
        f'<div class="cursor"></div><div class="tip" aria-live="polite"></div></div>\n'
        f'<div class="x-marks" aria-hidden="true">{below}</div>\n</div>\n'
    )


def dot(kind: str, axes: Axes, position: float, value: float) -> str:
    """A dot as SVG, of a class that says how wide its line is."""
    return f'<path class="{kind}" d="M{axes.point(position, value)}h0"/>'
