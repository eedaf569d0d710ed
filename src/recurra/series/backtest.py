"""Backtests: forecasts from origins in the past, each of what was known there alone, beside the naive ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError
from recurra.series.forecast import LEVELS, Forecast
from recurra.series.metrics import Measures, measure, scale_of
from recurra.series.naive import naive_forecasts
from recurra.series.panel import Panel
from recurra.series.references import NAIVE

if TYPE_CHECKING:
    from numpy.typing import NDArray

PanelForecaster = Callable[[Panel], Forecast]

MODEL = "model"
MOST_ORIGINS = 20
MOST_NUMBERS = 4_000_000  # quantiles of one forecaster, by default: 32 MB
CUTS = 1024  # cut series that a forecaster gets at once


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of several origins of each series, and what came.

    Origins are in ascending order, so that the last one of each series is the latest. A series that is too short for an
    origin has 0 steps there, and NaN in place of numbers.

    Attributes:
        ids: the names of the series.
        origins: int64 (series, origins), the number of steps of the series that the forecast knew.
        positions: int64 (series, origins), the position of the first forecast step.
        actual: float64 (series, origins, horizon); NaN where nothing was observed.
        levels: the levels of the quantiles.
        quantiles: for each forecaster, by name, float64 (series, origins, horizon, levels); ``model`` is the one that
            was asked for, the others are naive.
        scales: float64 (series,), the scale of each series' errors before its first origin; see ``metrics.scale_of``.
        period: the season in steps that scales and naive forecasts are made with.
        step: the number of steps from one origin to the next.
        is_refitted: whether the forecaster was made anew at each origin, of what was known there.
    """

    ids: tuple[str, ...]
    origins: NDArray[np.int64]
    positions: NDArray[np.int64]
    actual: NDArray[np.float64]
    levels: tuple[float, ...]
    quantiles: Mapping[str, NDArray[np.float64]]
    scales: NDArray[np.float64]
    period: int
    step: int
    is_refitted: bool

    def measures(self, name: str = MODEL, by: int | None = None) -> Measures:
        """The measures of a forecaster.

        Args:
            name: the forecaster's name in `quantiles`. Default: the one that was asked for.
            by: ``metrics.SERIES``, ``ORIGIN`` or ``STEP`` for one measure of each; None for one of all values.
        """
        return measure(self.actual, self.quantiles[name], self.levels, self.scales, by)

    def best_naive(self) -> str | None:
        """The name of the naive forecaster with the smallest MASE; None if there are none, or nothing was observed."""
        errors = {name: float(self.measures(name).mase) for name in self.quantiles if name != MODEL}
        known = {name: error for name, error in errors.items() if not np.isnan(error)}
        return min(known, key=known.__getitem__, default=None)


def backtest(
    forecaster: PanelForecaster | None,
    panel: Panel,
    horizon: int,
    origins: int | None = None,
    step: int | None = None,
    *,
    period: int | None = None,
    naive: bool = True,
    refit: Callable[[Panel], PanelForecaster] | None = None,
) -> Backtest:
    """Forecast from several origins in the past, and keep what came beside it.

    The last origin is `horizon` steps before the end of each series, the others lie before it, `step` apart. A
    forecaster gets each series cut at its origin, with the known inputs of all later steps, so that it cannot see what
    came. Cut series of many origins come in one panel, at most 1,024 at once.

    An origin needs as many steps before it as the horizon has, and an observed value.

    Args:
        forecaster: gives the forecast of at least `horizon` steps after the end of each series of a panel; it may have
            seen values after an origin in its training, which is for the caller to rule out. None with `refit`.
        panel: the series.
        horizon: the number of steps of each forecast.
        origins: the number of origins. Default: 20, but less if there are so many series that the quantiles of a
            forecaster would be more than four million numbers, and at least 1.
        step: the steps between origins. Default: `horizon` if all origins then lie in the last half of the longest
            series, else the largest with which they do, and at least 1.
        period: the season in steps of the scales and the naive forecasts. Default: the shortest of the panel's
            frequency, and 1 where there is none.
        naive: whether to forecast with the naive forecasters too. Default True.
        refit: makes a forecaster of the series as they were known at an origin; it is called for each origin, first the
            earliest. Default: none, `forecaster` is used at all origins.

    Raises:
        RunError: a number is out of range; all series are too short; or a forecast has other series, positions or
            levels than it must have, fewer steps, or numbers that are not finite.
    """
    if (forecaster is None) == (refit is None):
        raise RunError("a backtest needs either a forecaster, or refit, which makes one for each origin")
    for name, number in (("horizon", horizon), ("origins", origins), ("step", step), ("period", period)):
        if number is not None and number < 1:
            raise RunError(f"{name} must be a whole number from 1; got {number}")
    period = period or min(panel.frequency.periods, default=1)
    count = origins or max(1, min(MOST_ORIGINS, MOST_NUMBERS // (len(panel) * horizon * len(LEVELS))))
    apart = step or _step_between(int(panel.lengths.max(initial=0)), horizon, count)
    known = _origins_of(panel, horizon, count, apart)
    rows, places = np.nonzero(known)
    cuts = _Cuts(panel, rows, places, known[rows, places], horizon)
    quantiles = {MODEL: _refitted(refit, cuts) if refit is not None else cuts.quantiles(_given(forecaster))}
    if naive:
        quantiles.update(cuts.naive(period))
    full = {name: _spread(values, known) for name, values in quantiles.items()}
    firsts = np.where(known > 0, known, panel.lengths[:, None]).min(1, initial=2**62)
    return Backtest(
        panel.ids,
        known,
        panel.starts[:, None] + known,
        _spread(cuts.actual(), known),
        LEVELS,
        full,
        np.array([scale_of(values[:first], period) for values, first in zip(panel.target, firsts, strict=True)]),
        period,
        apart,
        refit is not None,
    )


def collected(
    panel: Panel,
    rows: NDArray[np.int64],
    origins: NDArray[np.int64],
    quantiles: NDArray[np.float64],
    period: int,
) -> Backtest:
    """The backtest of forecasts that are there already, one from each window, beside the naive ones.

    Each window counts as a series of its own.

    Args:
        panel: the series; all steps of each forecast are among them.
        rows: int64 (windows,), the series of each window.
        origins: int64 (windows,), the steps of the series that its forecast knew.
        quantiles: float64 (windows, horizon, levels), of the levels ``LEVELS``.
        period: the season in steps of the scales and the naive forecasts.
    """
    taken, horizon = panel.take(rows), quantiles.shape[1]
    cuts = _Cuts(taken, np.arange(len(rows)), np.zeros(len(rows), np.int64), origins, horizon)
    pairs = zip(taken.target, origins, strict=True)
    return Backtest(
        taken.ids,
        origins[:, None],
        (taken.starts + origins)[:, None],
        cuts.actual()[:, None],
        LEVELS,
        {name: each[:, None] for name, each in {MODEL: quantiles, **cuts.naive(period)}.items()},
        np.array([scale_of(values[:origin], period) for values, origin in pairs]),
        period,
        horizon,
        True,
    )


def _given(forecaster: PanelForecaster | None) -> PanelForecaster:
    assert forecaster is not None  # backtest has checked it
    return forecaster


def _step_between(length: int, horizon: int, origins: int) -> int:
    """The default number of steps between origins."""
    if origins == 1:
        return horizon
    return max(1, min(horizon, (length - length // 2 - horizon) // (origins - 1)))


def _origins_of(panel: Panel, horizon: int, count: int, step: int) -> NDArray[np.int64]:
    """The steps known at each origin (series, origins), 0 where a series is too short; at least one origin is none."""
    known = panel.lengths[:, None] - horizon - step * np.arange(count - 1, -1, -1)
    first = np.array([_first_seen(values) for values in panel.target], np.int64)
    known = np.where((known >= horizon) & (known > first[:, None]), known, 0)
    if not known.any():
        longest = max(zip(panel.lengths, panel.ids, strict=True), default=(0, ""))
        raise RunError(
            f"a backtest over a horizon of {horizon} needs a series of {2 * horizon} steps, with a value in the first "
            f"half; the longest, {longest[1]!r}, has {longest[0]}: choose a smaller horizon"
        )
    return known[:, known.any(0)]


def _first_seen(values: NDArray[np.float64]) -> int:
    """The place of the first observed value; the length where there is none."""
    seen = np.flatnonzero(~np.isnan(values))
    return int(seen[0]) if seen.size else len(values)


def _spread(values: NDArray[np.float64], known: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values of cuts (cuts, …) in their places (series, origins, …), NaN elsewhere."""
    spread = np.full((*known.shape, *values.shape[1:]), np.nan)
    spread[known > 0] = values
    return spread


@dataclass(frozen=True, eq=False)
class _Cuts:
    """Series that end at an origin: `rows` are their series, `places` the numbers of their origins."""

    panel: Panel
    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    known: NDArray[np.int64]
    horizon: int

    def actual(self) -> NDArray[np.float64]:
        """What came after each origin: (cuts, horizon)."""
        pairs = zip(self.rows, self.known, strict=True)
        return np.stack([self.panel.target[row][known : known + self.horizon] for row, known in pairs])

    def of(self, chosen: NDArray[np.int64]) -> Panel:
        """Some cut series, as a panel."""
        return self.panel.take(self.rows[chosen]).until(self.known[chosen])

    def chunks(self) -> Iterator[NDArray[np.int64]]:
        """The numbers of all cuts, in parts of bounded size."""
        for first in range(0, len(self.rows), CUTS):
            yield np.arange(first, min(first + CUTS, len(self.rows)))

    def quantiles(self, forecaster: PanelForecaster) -> NDArray[np.float64]:
        """A forecaster's quantiles after each origin: (cuts, horizon, levels)."""
        return np.concatenate([self.checked(forecaster, chosen) for chosen in self.chunks()])

    def naive(self, period: int) -> dict[str, NDArray[np.float64]]:
        """The naive forecasters' quantiles after each origin, by name."""
        parts = [naive_forecasts(self.of(chosen), self.horizon, period) for chosen in self.chunks()]
        return {name: np.concatenate([part[name].quantiles for part in parts]) for name in NAIVE}

    def checked(self, forecaster: PanelForecaster, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """The quantiles after some origins: (chosen, horizon, levels).

        Raises:
            RunError: the forecast is not one of these series; see :func:`backtest`.
        """
        panel = self.of(chosen)
        forecast = forecaster(panel)
        positions = panel.starts + panel.lengths
        if forecast.ids != panel.ids or not np.array_equal(forecast.positions, positions):
            raise RunError("the forecaster gave other series or positions than it was asked for")
        if forecast.levels != LEVELS or forecast.quantiles.shape[1] < self.horizon:
            steps = f"{self.horizon} steps of the levels {', '.join(map(str, LEVELS))}"
            raise RunError(f"a backtest needs forecasts of {steps}; got {forecast.quantiles.shape[1]} steps")
        quantiles = forecast.quantiles[:, : self.horizon]
        wrong = np.flatnonzero(~np.isfinite(quantiles).all((1, 2)))
        if wrong.size:
            raise RunError(f"the forecast of series {panel.ids[wrong[0]]!r} is not finite")
        return quantiles


def _refitted(refit: Callable[[Panel], PanelForecaster], cuts: _Cuts) -> NDArray[np.float64]:
    """The quantiles after each origin, of a forecaster that was made at that origin: (cuts, horizon, levels)."""
    quantiles = np.empty((len(cuts.rows), cuts.horizon, len(LEVELS)))
    for place in np.unique(cuts.places):
        chosen = np.flatnonzero(cuts.places == place)
        forecaster = refit(cuts.of(chosen))
        for first in range(0, len(chosen), CUTS):
            part = chosen[first : first + CUTS]
            quantiles[part] = cuts.checked(forecaster, part)
    return quantiles
