"""``LatestWindow``: the window at the end of a series that goes on, as the inputs of networks, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.latest_references import LatestReferences
from recurra.series.linear import LinearMap
from recurra.series.scaling import RELATIVE_ZERO
from recurra.series.stacking import by_step
from recurra.series.transforms import NONE, TRANSFORMS
from recurra.series.windows import FURTHEST, Blend, SeriesReader, deviation, standard, steps_back

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.frequency import Frequency
    from recurra.series.panel import Panel
    from recurra.series.recipe import Recipe

_AHEAD = 64  # steps whose calendar is worked out at once


class LatestWindow:
    """The window after the last value of one series, which takes further values.

    It is what ``SeriesReader.encode`` and ``EncodedWindows.decode`` make of the whole series. What does not depend on
    the window's scale, such as the calendar, moves on by one step; the rest is computed anew, as sums that run on would
    collect errors of rounding. Values further back than ``steps_back`` are forgotten.

    Args:
        history: a panel of one series, perhaps of no steps, with known inputs for the horizon.
        recipe: the facts of the forecaster.
        horizon: the number of steps to forecast, at most the recipe's.

    Attributes:
        past: float32 (context, 1, features), the encoder's input once ``encode`` has been called.
        future: float32 (horizon, 1, features), the decoder's.
        transform: the transform of the values.
    """

    def __init__(self, history: Panel, recipe: Recipe, horizon: int) -> None:
        self._recipe = recipe
        reader = SeriesReader(history, recipe)
        self.transform = TRANSFORMS[reader.transforms[0]]
        self._least = float(reader.least[0])
        encoded = reader.encode(reader.ends())
        self.past, self.future = encoded.past, np.ascontiguousarray(encoded.future[:horizon])
        count = steps_back(recipe)
        self._seen = LatestValues(history.target[0], count)
        self._values = self._seen if self.transform is NONE else LatestValues(reader.target.values, count)
        self._last = self._values.last_seen()
        self._references = LatestReferences(horizon, recipe.periods, count)
        weights = by_step(np.array(recipe.reference_weights), recipe.horizon).T
        self._weights = np.ascontiguousarray(weights[:, :horizon])
        self._linear = LinearMap.of(recipe)
        blend = recipe.blend_weights or recipe.reference_weights
        self._blend_weights = by_step(np.array(blend), recipe.horizon)[:horizon].T
        self._shift = np.zeros((horizon, 1))
        self._blend = Blend(recipe, horizon)
        first = int(history.starts[0]) + len(history.target[0]) + horizon
        self._calendar = _calendar(recipe.frequency, first)
        self._make_places(len(weights))

    def _make_places(self, rules: int) -> None:
        """The places of features among those of a step, and room for the ones that depend on the scale."""
        recipe = self._recipe
        shared = recipe.frequency.calendar_width + len(recipe.known)
        lags = 2 + len(recipe.periods)
        self._past_lags, self._past_shared = slice(2, lags), slice(lags, lags + shared)
        self._past_inputs = slice(lags + shared, lags + shared + len(recipe.past))
        self._future_references, self._future_shared = slice(2, 2 + rules), slice(2 + rules, 2 + rules + shared)
        self._scaled_past = np.empty((1 + len(recipe.periods), recipe.context))
        self._scaled_future = np.empty((1 + rules, len(self.future)))
        known = len(recipe.known)
        centers, spreads = np.array(recipe.centers), np.array(recipe.spreads)
        self._known_scale = centers[:known], spreads[:known]
        self._past_scale = centers[known:], spreads[known:]

    @property
    def kept(self) -> int:
        """The number of steps that are remembered."""
        return self._seen.kept

    @property
    def is_observed(self) -> bool:
        """Whether any value is remembered."""
        return self._seen.missing < len(self._seen.latest)

    def append(self, value: float, known: NDArray[np.float64], past: NDArray[np.float64]) -> None:
        """Take the next value, and move on by one step.

        Args:
            value: the value; NaN where nothing was observed.
            known: (known columns,), the inputs of the last step of the horizon that begins after the value.
            past: (past columns,), the inputs of the value's step.
        """
        self._append_value(value)
        old, new, shared = self.past, self.future, self._future_shared
        old[:-1] = old[1:]
        old[-1, 0, 1] = value != value
        old[-1, 0, self._past_shared] = new[0, 0, shared]
        if len(past):
            old[-1, 0, self._past_inputs] = standard(past, *self._past_scale)
        if len(new) > 1:
            new[:-1, 0, shared] = new[1:, 0, shared]
        calendar = next(self._calendar)
        if len(known):
            calendar = np.concatenate([calendar, standard(known, *self._known_scale)])
        new[-1, 0, shared] = calendar

    def _append_value(self, value: float) -> None:
        self._seen.append(value)
        if value < self._least:
            self._least = -np.inf
        if self.transform is not NONE:
            one = np.array([value])  # an array's logarithms can have other last bits than math.log
            if self.transform.reads(one):
                value = float(self.transform.forward(one)[0])
                self._values.append(value)
            else:  # from here on, the whole series is read as it is
                self.transform, self._values = NONE, self._seen
                self._last = self._seen.last_seen()
        if value == value:
            self._last = value

    def encode(self, with_features: bool = True) -> None:
        """Compute the references and the scale, and ``past`` and ``future`` unless ``with_features`` is False."""
        values = self._values.latest
        found = self._references(values, self._last, self._values.missing > 0)
        self._base = np.add.accumulate(self._weights * found, axis=0)[-1]
        context = values[len(values) - self._recipe.context :]
        offset, scale = _offset_and_scale(context)
        if not scale > 0:
            scale = deviation(values)
        self._scale = scale
        if self._linear is not None and scale > 0:
            linear = self._linear.latest(values, self._last, self._values.missing > 0, len(self._base))
            blend = np.add.accumulate(self._blend_weights * np.vstack([found, linear]), axis=0)[-1]
            self._shift[:, 0] = (blend - self._base) / scale
        if with_features:
            unit = scale if scale > 0 else np.inf
            self._write_past(values, context, offset, unit)
            self._write_future(found, offset, unit)

    def _write_past(
        self, values: NDArray[np.float64], context: NDArray[np.float64], offset: float, unit: float
    ) -> None:
        scaled, end = self._scaled_past, len(values)
        np.subtract(context, offset, out=scaled[0])
        for row, period in zip(scaled[1:], self._recipe.periods, strict=True):
            np.subtract(context, values[end - len(context) - period : end - period], out=row)
        _draw_in(scaled, unit)
        if self._values.missing:
            scaled[np.isnan(scaled)] = 0.0
        self.past[:, 0, 0] = scaled[0]
        self.past[:, 0, self._past_lags] = scaled[1:].T

    def _write_future(self, found: NDArray[np.float64], offset: float, unit: float) -> None:
        scaled = self._scaled_future
        np.subtract(self._base, offset, out=scaled[0])
        np.subtract(found, self._base, out=scaled[1:])
        _draw_in(scaled, unit)
        self.future[:, 0, 0] = scaled[0]
        self.future[:, 0, self._future_references] = scaled[1:].T

    def decode(self, quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
        """The forecast in the units of the target, float64 (horizon, levels), from the window that was encoded.

        Args:
            quantiles: float64 (horizon, levels), the mean of the members' `network_quantiles`.
        """
        values = self._blend(quantiles, self._base[:, None], self._shift, self._scale)
        values = self.transform.inverse(values)
        np.maximum(values, self._least, out=values)
        return values


class LatestValues:
    """The latest values of a series that grows.

    Args:
        values: (steps,), those so far.
        count: the number of values to keep.

    Attributes:
        latest: (count,), in order, NaN before the beginning; a view that the next call of ``append`` may change.
        missing: how many of these are NaN.
        kept: the number of steps that they stand for.
    """

    def __init__(self, values: NDArray[np.float64], count: int) -> None:
        self.kept, self._end = min(len(values), count), count
        self._rows = np.full(2 * count + _AHEAD, np.nan)
        self._rows[count - self.kept : count] = values[len(values) - self.kept :]
        self.latest = self._rows[:count]
        self.missing = int(np.isnan(self.latest).sum())

    def append(self, value: float) -> None:
        """Add a value, and forget the oldest one."""
        rows, count = self._rows, len(self.latest)
        oldest = rows.item(self._end - count)
        self.missing += int(value != value) - int(oldest != oldest)
        if self._end == len(rows):
            rows[:count] = self.latest
            self._end = count
        rows[self._end] = value
        self._end += 1
        self.kept = min(self.kept + 1, count)
        self.latest = rows[self._end - count : self._end]

    def last_seen(self) -> float:
        """The last value that was observed; zero where none was."""
        seen = self.latest[~np.isnan(self.latest)]
        return float(seen[-1]) if len(seen) else 0.0


def _calendar(frequency: Frequency, first: int) -> Iterator[NDArray[np.float32]]:
    """The calendar's features at each position from the first on."""
    while True:
        yield from frequency.calendar(np.arange(first, first + _AHEAD))
        first += _AHEAD


def _offset_and_scale(context: NDArray[np.float64]) -> tuple[float, float]:
    """``window_scales`` of one window; the scale is zero where it is constant."""
    size = np.abs(context)
    largest, count, seen = float(size.max()), len(context), None
    if largest != largest:
        seen = ~np.isnan(context)
        context, largest = np.where(seen, context, 0.0), float(np.where(seen, size, 0.0).max())
        count = max(int(np.count_nonzero(seen)), 1)
    unit = largest if largest > 0 else 1.0
    scaled = context / unit
    offset = float(np.add.reduce(scaled)) / count
    spread = np.abs(scaled - offset)
    scale = float(np.add.reduce(spread if seen is None else np.where(seen, spread, 0.0))) / count
    return offset * unit, scale * unit if scale > RELATIVE_ZERO else 0.0


def _draw_in(values: NDArray[np.float64], unit: float) -> None:
    """Divide by the unit, and draw into the range of inputs; in place."""
    values /= unit
    np.minimum(values, FURTHEST, out=values)
    np.maximum(values, -FURTHEST, out=values)
