"""The chart of one series as SVG: what was observed, the median, its intervals, and the naive forecast."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from recurra.tasks.series.picture.ticks import number_marks, shown, time_marks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.frequency import Frequency

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 72, 16, 16, 40  # of the place for the axes
INTERVALS = (("90", 0.05, 0.95), ("80", 0.1, 0.9))  # the wider one first, as it lies below the other
LEAST_HISTORY = 240  # steps before a forecast that are drawn; before one of a long horizon five times as many
LEAST_BACKTEST = 48  # steps before a backtest that are drawn; before a long one as many as it has

TimesAsText = Callable[["NDArray[np.int64]"], "list[str]"]


@dataclass(frozen=True, eq=False)
class Fan:
    """The quantiles of one forecast of one series.

    Attributes:
        start: the position of its first step.
        levels: the levels of the quantiles, ascending.
        quantiles: float64 (horizon, levels).
        naive: float64 (horizon,), the naive forecast beside it; None for none.
    """

    start: int
    levels: tuple[float, ...]
    quantiles: NDArray[np.float64]
    naive: NDArray[np.float64] | None = None

    @property
    def positions(self) -> NDArray[np.int64]:
        """The positions of its steps: int64 (horizon,)."""
        return self.start + np.arange(len(self.quantiles))

    def at(self, level: float) -> NDArray[np.float64] | None:
        """The quantiles of a level: float64 (horizon,); None if the forecast has no such level."""
        return self.quantiles[:, self.levels.index(level)] if level in self.levels else None


@dataclass(frozen=True, eq=False)
class Chart:
    """What the chart of one series shows.

    Attributes:
        name: the series' name; empty for a lone one.
        start: the position of its first value.
        values: float64 (length,), what was observed, NaN where nothing was; in a backtest also under the forecasts.
        fans: the forecasts, one after the other; at least one.
        frequency: the grid of the positions.
        times: gives positions the times as the table writes them.
    """

    name: str
    start: int
    values: NDArray[np.float64]
    fans: tuple[Fan, ...]
    frequency: Frequency
    times: TimesAsText

    @property
    def is_backtest(self) -> bool:
        """Whether values were observed where the first forecast lies."""
        return self.start + len(self.values) > self.fans[0].start

    def shown_part(self) -> Chart:
        """The chart from the step on from which it is drawn."""
        first, horizon = self.fans[0].start, len(self.fans[0].quantiles)
        forecast = int(self.fans[-1].positions[-1]) + 1 - first
        steps = max(LEAST_BACKTEST, forecast) if self.is_backtest else max(LEAST_HISTORY, 5 * horizon)
        skipped = max(0, first - steps - self.start)
        return replace(self, start=self.start + skipped, values=self.values[skipped:])


@dataclass(frozen=True)
class _Axes:
    """The map from positions and values to the drawing."""

    first: int
    last: int
    low: float
    high: float

    def x(self, position: float) -> float:
        return LEFT + (position - self.first) / max(1, self.last - self.first) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def point(self, position: float, value: float) -> str:
        return f"{self.x(position):.1f},{self.y(value):.1f}"


def svg(chart: Chart) -> str:
    """Draw a chart: an ``<svg>`` element, with the numbers that a pointer shows in its ``data-points``."""
    chart = chart.shown_part()
    axes = _axes_of(chart)
    parts = [_grid(chart, axes)]
    parts += [_bands(chart, fan, axes) for fan in chart.fans]
    parts += [_path("naive", fan.positions, fan.naive, axes) for fan in chart.fans if fan.naive is not None]
    parts.append(_path("observed", chart.start + np.arange(len(chart.values)), chart.values, axes))
    parts += [_dots(chart, axes)]
    parts += [_path("median", *_led(chart, fan, fan.at(0.5)), axes) for fan in chart.fans]
    parts += [_origin(fan, axes) for fan in chart.fans]
    title = f"Forecast of {chart.name}" if chart.name else "Forecast"
    points = escape(json.dumps(_points(chart, axes), ensure_ascii=False, separators=(",", ":")), quote=True)
    inner = "\n".join(part for part in parts if part)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" data-points="{points}">\n'
        f'{inner}\n<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" visibility="hidden"/>\n</svg>'
    )


def _axes_of(chart: Chart) -> _Axes:
    """The axes that hold everything that is drawn, with a little room above and below."""
    arrays = [chart.values, *(fan.quantiles for fan in chart.fans)]
    arrays += [fan.naive for fan in chart.fans if fan.naive is not None]
    every = np.concatenate([each.ravel() for each in arrays])
    every = every[np.isfinite(every)]
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    low_room, high_room = low - room, high + room
    if 0 <= low <= 0.3 * high:  # zero is near: it says how large the changes are
        low_room = 0.0
    last = max(chart.start + len(chart.values) - 1, max(int(fan.positions[-1]) for fan in chart.fans))
    return _Axes(chart.start, last, low_room, high_room)


def _grid(chart: Chart, axes: _Axes) -> str:
    lines = []
    for mark in number_marks(axes.low, axes.high):
        y = f"{axes.y(mark.at):.1f}"
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        lines.append(f'<text class="mark" x="{LEFT - 10}" y="{y}" dy="0.35em" text-anchor="end">{mark.text}</text>')
    bottom = HEIGHT - BOTTOM
    for mark in time_marks(chart.frequency, axes.first, axes.last):
        x = f"{axes.x(mark.at):.1f}"
        lines.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 5}"/>')
        lines.append(f'<text class="mark" x="{x}" y="{bottom + 20}" text-anchor="middle">{escape(mark.text)}</text>')
    lines.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    return "\n".join(lines)


def _led(
    chart: Chart, fan: Fan, values: NDArray[np.float64] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """The line of a forecast, beginning at the observation before it where there is one."""
    before = fan.start - 1 - chart.start
    if values is None or not 0 <= before < len(chart.values) or not np.isfinite(chart.values[before]):
        return fan.positions, values
    return np.concatenate([[fan.start - 1], fan.positions]), np.concatenate([[chart.values[before]], values])


def _bands(chart: Chart, fan: Fan, axes: _Axes) -> str:
    parts = []
    for name, below, above in INTERVALS:
        positions, low = _led(chart, fan, fan.at(below))
        _, high = _led(chart, fan, fan.at(above))
        if low is not None and high is not None:
            steps = positions.tolist()
            points = [axes.point(*each) for each in zip(steps, high.tolist(), strict=True)]
            points += [axes.point(*each) for each in zip(steps[::-1], low[::-1].tolist(), strict=True)]
            parts.append(f'<polygon class="band{name}" points="{" ".join(points)}"/>')
    return "\n".join(parts)


def _path(kind: str, positions: NDArray[np.int64], values: NDArray[np.float64] | None, axes: _Axes) -> str:
    """A line through the values, broken where they are missing."""
    if values is None:
        return ""
    commands, is_down = [], False
    for position, value in zip(positions.tolist(), values.tolist(), strict=True):
        if np.isfinite(value):
            commands.append(f"{'L' if is_down else 'M'}{axes.point(position, value)}")
        is_down = bool(np.isfinite(value))
    return f'<path class="{kind}" d="{"".join(commands)}"/>' if commands else ""


def _dots(chart: Chart, axes: _Axes) -> str:
    """Dots where a line cannot show a value: it has no neighbour, or it is one that a forecast is compared with."""
    there = np.isfinite(chart.values)
    around = np.concatenate([[False], there, [False]])
    neighbours = around[:-2] | around[2:]
    compared = np.arange(len(there)) + chart.start >= chart.fans[0].start
    steps = sum(len(fan.quantiles) for fan in chart.fans)
    wanted = there & (~neighbours | (compared & (steps <= 200)))
    places = [axes.point(chart.start + index, chart.values[index]) for index in np.flatnonzero(wanted).tolist()]
    return "".join('<circle class="actual" r="2.6" cx="{}" cy="{}"/>'.format(*each.split(",")) for each in places)


def _origin(fan: Fan, axes: _Axes) -> str:
    """A line between what was known and what is forecast; a dot for a forecast of one step, which no line shows."""
    x = axes.x(max(fan.start - 0.5, axes.first))
    line = f'<line class="origin" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    median = fan.at(0.5)
    if median is None or len(median) > 1:
        return line
    place = axes.point(fan.start, median[0]).split(",")
    return f'{line}<circle class="point" r="4" cx="{place[0]}" cy="{place[1]}"/>'


def _points(chart: Chart, axes: _Axes) -> dict[str, object]:
    """What a pointer shows: the place of the first step and the width of one, the times, and numbers as texts."""
    positions = np.arange(axes.first, axes.last + 1)
    every = chart.values[np.isfinite(chart.values)]
    span = float(np.ptp(every)) if len(every) > 1 else 0.0
    step = 10.0 ** np.floor(np.log10(span / 100 if span > 0 else max(abs(axes.high), 1e-300) / 1000))
    rows: dict[str, NDArray[np.float64]] = {"observed": np.full(len(positions), np.nan)}
    rows["observed"][: len(chart.values)] = chart.values
    for fan in chart.fans:
        begin = fan.start - axes.first
        for name, values in _of_fan(fan):
            rows.setdefault(name, np.full(len(positions), np.nan))[begin : begin + len(values)] = values
    return {
        "x": round(axes.x(axes.first), 2),
        "step": (WIDTH - LEFT - RIGHT) / max(1, axes.last - axes.first),
        "times": chart.times(positions),
        "rows": {
            name: [shown(value, step) if np.isfinite(value) else "" for value in values.tolist()]
            for name, values in rows.items()
        },
    }


def _of_fan(fan: Fan) -> list[tuple[str, NDArray[np.float64]]]:
    rows = [("forecast", fan.at(0.5)), ("naive", fan.naive)]
    for name, below, above in INTERVALS:
        rows += [(f"{name} low", fan.at(below)), (f"{name} high", fan.at(above))]
    return [(name, values) for name, values in rows if values is not None]
