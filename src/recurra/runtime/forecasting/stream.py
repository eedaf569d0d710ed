"""``ForecastStream``: takes an observation at a time, says how surprising it was, and gives the next forecast."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError
from recurra.runtime.forecasting.surprise import surprise_of
from recurra.runtime.stepper import alone
from recurra.series.panel import Panel
from recurra.series.windows import SeriesReader, steps_back

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from recurra.runtime.forecasting.model import ForecastModel


@dataclass(frozen=True, eq=False)
class StreamForecast:
    """A forecast of a stream, and the surprise of the observation that it follows.

    Attributes:
        position: the position of the first forecast step on the grid of times.
        levels: the levels of the quantiles, ascending; 0.5 is one of them.
        quantiles: float64 (horizon, levels), in the units of the series; they never cross.
        surprise: the bits of surprise of the last observation under the forecast before it: 0 to 64, and -log2 of the
            probability of an observation as far out, on either side. None before the first, and where it is NaN.
    """

    position: int
    levels: tuple[float, ...]
    quantiles: NDArray[np.float64]
    surprise: float | None

    @property
    def median(self) -> NDArray[np.float64]:
        """The point forecast: float64 (horizon,)."""
        return self.quantiles[:, self.levels.index(0.5)]


class ForecastStream:
    """A series that goes on: ``after = stream.step(value)``; ``ForecastModel.stream`` makes it.

    Its forecasts equal those of ``ForecastModel.forecast`` for the same history to the bit, with two exceptions:
    whether the series is read as logarithms is decided once, by the history at the beginning; and what lies further
    back than the forecaster's context and nine of its longest seasons is forgotten. One thread at a time may use a
    stream.

    Args:
        model: the forecaster.
        history: a panel of one series.

    Attributes:
        model: the forecaster.
        forecast: the forecast of what comes next.

    Raises:
        RunError: the forecaster cannot forecast the panel, or it is not of one series.
    """

    def __init__(self, model: ForecastModel, history: Panel) -> None:
        if len(history) != 1:
            raise RunError(f"a stream is of one series; the history has {len(history)}")
        model.check(history)
        recipe = model.recipe
        self.model = model
        self._recipe = replace(recipe, logarithm=bool(SeriesReader(history, recipe).logarithms[0]))
        self._lock = threading.Lock()
        count, ahead = steps_back(recipe), recipe.horizon
        end = len(history.target[0])
        self._next = int(history.starts[0]) + end
        self._target = _Recent(history.target[0][:, None], count)
        self._known = _Recent(history.known[0][: end + ahead], count + ahead)
        self._past = _Recent(history.past[0][:end], count)
        self._frame = history
        self.forecast = self._forecast(None)

    def step(self, value: float, known: ArrayLike | None = None, past: ArrayLike | None = None) -> StreamForecast:
        """Take the next observation.

        Args:
            value: the observation; NaN if there was none.
            known: (known inputs,), those of the last step of the new forecast. Default: for a forecaster without any.
            past: (past inputs,), those observed with the value. Default: for a forecaster without any.

        Returns:
            The forecast of what comes next, and the surprise of the value.

        Raises:
            RunError: the value is infinite, or there are other inputs; the stream stays as it is. Or nothing was
                observed for so long that nothing can be forecast; then the stream goes on with the next value.
            ValueError, TypeError: the value or an input is no number; the stream stays as it is.
            RuntimeError: another thread is using the stream.
        """
        value = float(value)
        if np.isinf(value):
            raise RunError("an infinite value cannot be observed; give NaN for a missing one")
        rows = [_inputs(*each) for each in (("known", known, self._recipe.known), ("past", past, self._recipe.past))]
        with alone(self._lock):
            first = self.forecast.quantiles[0] if self.forecast.position == self._next else None
            surprise = None if first is None else surprise_of(value, self._recipe.levels, first)
            self._target.append(np.array([value]))
            self._known.append(rows[0])
            self._past.append(rows[1])
            self._next += 1
            self.forecast = self._forecast(surprise)
        return self.forecast

    def _forecast(self, surprise: float | None) -> StreamForecast:
        target = self._target.rows[:, 0]
        if np.isnan(target).all():
            raise RunError(f"nothing was observed in the last {len(target)} steps, so nothing can be forecast")
        panel = replace(
            self._frame,
            starts=np.array([self._next - len(target)], np.int64),
            target=(target,),
            known=(self._known.rows,),
            past=(self._past.rows,),
        )
        made = self.model.forecast_checked(panel, self._recipe, self._recipe.horizon)
        return StreamForecast(self._next, made.levels, made.quantiles[0], surprise)


class _Recent:
    """The last rows of an array that grows."""

    def __init__(self, first: NDArray[np.float64], count: int) -> None:
        kept = first[-count:]
        self._count, self._end = count, len(kept)
        self._rows = np.empty((2 * count, *first.shape[1:]))
        self._rows[: self._end] = kept

    @property
    def rows(self) -> NDArray[np.float64]:
        """The last rows, in order; a view that later rows may change."""
        return self._rows[max(0, self._end - self._count) : self._end]

    def append(self, row: NDArray[np.float64]) -> None:
        """Add a row, and forget the oldest one where there are too many."""
        if self._end == len(self._rows):
            self._rows[: self._count] = self._rows[self._count :]
            self._end = self._count
        self._rows[self._end] = row
        self._end += 1


def _inputs(what: str, given: ArrayLike | None, names: tuple[str, ...]) -> NDArray[np.float64]:
    """A row of inputs, checked."""
    row = np.asarray([] if given is None else given, np.float64)
    if row.shape != (len(names),):
        named = f"{len(names)} {what} inputs, {', '.join(names)}" if names else f"no {what} inputs"
        raise RunError(f"each step takes {named}; got {row.shape}")
    return row
