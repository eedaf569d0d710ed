"""The chart of one series, a part of a page: what was observed, the median, its intervals, and the naive forecast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recurra.page import plot
from recurra.page.plot import Axes, Readout
from recurra.page.ticks import shown
from recurra.tasks.series.picture.ticks import time_marks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.frequency import Frequency

INTERVALS = (("90", 0.05, 0.95), ("80", 0.1, 0.9))  # the wider one first, as it lies below the other
LEAST_HISTORY = 240  # steps before a forecast that are drawn; before one of a long horizon five times as many
LEAST_BACKTEST = 48  # steps before a backtest that are drawn; before a long one a quarter of its own

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
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

    style: ClassVar[tuple[str, ...]] = (plot.STYLE, STYLE)
    script: ClassVar[str] = plot.SCRIPT

    def html(self) -> str:
        """The chart as a part of a page."""
        return f"<figure>\n{drawing(self)}</figure>\n"

    @property
    def is_backtest(self) -> bool:
        """Whether values were observed where the first forecast lies."""
        return self.start + len(self.values) > self.fans[0].start

    def shown_part(self) -> Chart:
        """The chart from the step on from which it is drawn."""
        first, horizon = self.fans[0].start, len(self.fans[0].quantiles)
        forecast = int(self.fans[-1].positions[-1]) + 1 - first
        steps = max(LEAST_BACKTEST, forecast // 4) if self.is_backtest else max(LEAST_HISTORY, 5 * horizon)
        skipped = max(0, first - steps - self.start)
        return replace(self, start=self.start + skipped, values=self.values[skipped:])


def drawing(chart: Chart) -> str:
    """Draw a chart, as HTML, whose numbers are read out at the pointer and by the arrow keys."""
    chart = chart.shown_part()
    axes = _axes_of(chart)
    parts = [_bands(chart, fan, axes) for fan in chart.fans]
    parts += [_path("naive", fan.positions, fan.naive, axes) for fan in chart.fans if fan.naive is not None]
    parts.append(_path("observed", chart.start + np.arange(len(chart.values)), chart.values, axes))
    parts += [_dots(chart, axes)]
    parts += [_path("median", *_led(chart, fan, fan.at(0.5)), axes) for fan in chart.fans]
    parts += [_origin(fan, axes) for fan in chart.fans]
    title = f"Forecast of {chart.name}" if chart.name else "Forecast"
    marks = time_marks(chart.frequency, int(axes.first), int(axes.last))
    return plot.plot(axes, marks, "\n".join(part for part in parts if part), title, _readout(chart, axes))


def _axes_of(chart: Chart) -> Axes:
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
    return Axes(chart.start, last, low_room, high_room)


def _led(
    chart: Chart, fan: Fan, values: NDArray[np.float64] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """The line of a forecast, beginning at the observation before it where there is one."""
    before = fan.start - 1 - chart.start
    if values is None or not 0 <= before < len(chart.values) or not np.isfinite(chart.values[before]):
        return fan.positions, values
    return np.concatenate([[fan.start - 1], fan.positions]), np.concatenate([[chart.values[before]], values])


def _bands(chart: Chart, fan: Fan, axes: Axes) -> str:
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


def _path(kind: str, positions: NDArray[np.int64], values: NDArray[np.float64] | None, axes: Axes) -> str:
    """A line through the values, broken where they are missing."""
    commands = "" if values is None else axes.path(positions.tolist(), values.tolist())
    return f'<path class="{kind}" d="{commands}"/>' if commands else ""


def _dots(chart: Chart, axes: Axes) -> str:
    """Dots where a line cannot show a value: it has no neighbour, or it is one that a forecast is compared with."""
    there = np.isfinite(chart.values)
    around = np.concatenate([[False], there, [False]])
    neighbours = around[:-2] | around[2:]
    compared = np.arange(len(there)) + chart.start >= chart.fans[0].start
    steps = sum(len(fan.quantiles) for fan in chart.fans)
    wanted = there & (~neighbours | (compared & (steps <= 200)))
    places = np.flatnonzero(wanted).tolist()
    return "".join(plot.dot("actual", axes, chart.start + index, chart.values[index]) for index in places)


def _origin(fan: Fan, axes: Axes) -> str:
    """A line between what was known and what is forecast; a dot for a forecast of one step, which no line shows."""
    line = f'<path class="origin" d="M{axes.x(max(fan.start - 0.5, axes.first)):.1f},0V{plot.HEIGHT}"/>'
    median = fan.at(0.5)
    if median is None or len(median) > 1:
        return line
    return line + plot.dot("point", axes, fan.start, float(median[0]))


def _readout(chart: Chart, axes: Axes) -> Readout:
    """The numbers at each step: what was observed, the forecast with its intervals, the naive one."""
    positions = np.arange(chart.start, int(axes.last) + 1)
    every = chart.values[np.isfinite(chart.values)]
    span = float(np.ptp(every)) if len(every) > 1 else 0.0
    step = 10.0 ** np.floor(np.log10(span / 100 if span > 0 else max(abs(axes.high), 1e-300) / 1000))
    rows: dict[str, list[str]] = {"Observed": [""] * len(positions)}
    rows["Observed"][: len(chart.values)] = _texts(chart.values, step)
    for fan in chart.fans:
        begin = fan.start - chart.start
        for name, texts in _of_fan(fan, step):
            rows.setdefault(name, [""] * len(positions))[begin : begin + len(texts)] = texts
    return Readout([axes.x(position) for position in positions.tolist()], chart.times(positions), rows)


def _of_fan(fan: Fan, step: float) -> Iterator[tuple[str, list[str]]]:
    median = fan.at(0.5)
    if median is not None:
        yield "Forecast", _texts(median, step)
    for name, below, above in reversed(INTERVALS):
        low, high = fan.at(below), fan.at(above)
        if low is not None and high is not None:
            ends = zip(_texts(low, step), _texts(high, step), strict=True)
            yield f"{name} % interval", [f"{lower} to {upper}" if lower and upper else "" for lower, upper in ends]
    if fan.naive is not None:
        yield "Naive", _texts(fan.naive, step)


def _texts(values: NDArray[np.float64], step: float) -> list[str]:
    return [shown(value, step) if np.isfinite(value) else "" for value in values.tolist()]
