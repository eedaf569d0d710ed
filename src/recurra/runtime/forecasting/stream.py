"""``ForecastStream``: takes an observation at a time, says how surprising it was, and gives the next forecast."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError
from recurra.runtime.forecasting.networks import Networks
from recurra.runtime.forecasting.surprise import surprise_of
from recurra.runtime.stepper import alone
from recurra.series.latest_window import LatestWindow
from recurra.series.panel import Panel
from recurra.series.windows import network_quantiles

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from recurra.runtime.forecasting.model import ForecastModel

_NONE: NDArray[np.float64] = np.zeros(0)


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

    Its forecasts equal those of ``ForecastModel.forecast`` for the same history, but for rounding, with two exceptions.
    The history at the beginning decides whether the series is read as logarithms or roots, until a value has none.
    And what lies further back than the forecaster's context and nine of its longest seasons is forgotten;
    it would tell the spread of a series whose whole context is constant. One thread at a time may use a stream.

    Args:
        model: the forecaster.
        networks: its networks.
        history: a panel of one series, perhaps of no steps.
        horizon: the number of steps of each forecast.

    Attributes:
        model: the forecaster.
        horizon: the number of steps of each forecast.
        forecast: the forecast of what comes next; None before the first value.
    """

    def __init__(self, model: ForecastModel, networks: Networks, history: Panel, horizon: int) -> None:
        recipe = model.recipe
        self.model, self.horizon = model, horizon
        self._recipe = recipe
        self._lock = threading.Lock()
        self._next = int(history.starts[0]) + len(history.target[0])
        self._window = window = LatestWindow(history, recipe, horizon)
        self._networks = networks.repeated(window.past, window.future) if recipe.network_weight > 0 else None
        self._without = np.zeros((horizon, len(recipe.levels)))  # networks, their forecast
        self.forecast = self._forecast(None) if window.is_observed else None

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
                observed for so long that nothing can be forecast, or the forecast is not finite; then the stream goes
                on with the next value.
            ValueError, TypeError: the value or an input is no number; the stream stays as it is.
            RuntimeError: another thread is using the stream.
        """
        value = float(value)
        if math.isinf(value):
            raise RunError("an infinite value cannot be observed; give NaN for a missing one")
        known_row, past_row = _inputs("known", known, self._recipe.known), _inputs("past", past, self._recipe.past)
        with alone(self._lock):
            before, surprise = self.forecast, None
            if before is not None and before.position == self._next:
                surprise = surprise_of(value, before.levels, before.quantiles[0])
            self._window.append(value, known_row, past_row)
            self._next += 1
            self.forecast = made = self._forecast(surprise)
        return made

    def _forecast(self, surprise: float | None) -> StreamForecast:
        window, recipe = self._window, self._recipe
        if not window.is_observed:
            raise RunError(f"nothing was observed in the last {window.kept} steps, so nothing can be forecast")
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            window.encode(with_features=self._networks is not None)
            networks = self._without
            if self._networks is not None:
                networks = np.add.reduce(network_quantiles(self._networks(), recipe.median), axis=0)
                networks /= recipe.members
            quantiles = window.decode(networks)
        if not np.isfinite(quantiles).all():
            raise RunError("the forecast of the series is not finite: its values are too large")
        return StreamForecast(self._next, recipe.levels, quantiles, surprise)


def _inputs(what: str, given: ArrayLike | None, names: tuple[str, ...]) -> NDArray[np.float64]:
    """A row of inputs, checked."""
    if given is None and not names:
        return _NONE
    row = np.asarray([] if given is None else given, np.float64)
    if row.shape != (len(names),):
        named = f"{len(names)} {what} inputs, {', '.join(names)}" if names else f"no {what} inputs"
        raise RunError(f"each step takes {named}; got {row.shape}")
    return row
