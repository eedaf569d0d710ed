"""Reference forecasts: simple rules from which a network's forecast starts, and beside which it is measured."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.history import History

MOST_SEASONS = 8  # seasons that means and drifts look back on
AT_ONCE = 1_000  # windows that are looked at together, at most
MOST_STEPS = 400_000  # of the longest seasons of these windows; each takes some tens of bytes
LONG_PERIOD = 20  # steps from which neighbours of a step have a season's shape in common

# The rules that everyone knows; a forecast is measured beside these. The name is that of `references`.
NAIVE = ("last value", "seasonal naive", "seasonal naive with growth")


def is_naive(name: str) -> bool:
    """Whether the reference forecast of that name is one of `NAIVE`, of any season."""
    return name.rstrip("0123456789 ") in NAIVE


@dataclass(frozen=True, eq=False)
class Windows:
    """Places in series from which forecasts start.

    Attributes:
        history: the values; none from an origin on is read.
        which: int64 (windows,), the series of each window.
        origins: int64 (windows,), the step of its series that is forecast first.
    """

    history: History
    which: NDArray[np.int64]
    origins: NDArray[np.int64]

    def before(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values at steps relative to the origins, (steps,) or (windows, steps), all below zero; NaN where none is."""
        return self.history.at(self.which, self.origins[:, None] + np.atleast_2d(steps))

    def take(self, rows: slice | NDArray[np.int64]) -> Windows:
        """Some of the windows."""
        return Windows(self.history, self.which[rows], self.origins[rows])


def steps_back(periods: tuple[int, ...]) -> int:
    """The number of steps before an origin that reference forecasts read, as long as there is an observed one."""
    return (MOST_SEASONS + 1) * max(periods, default=0) + 1


def steps_before(horizon: int, period: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each step of a horizon the seasons back to the last known one, and its step there; int64 (horizon,).

    Steps are relative to the origin, so those before it are below zero.
    """
    ahead = np.arange(horizon)
    seasons = ahead // period + 1
    return seasons, ahead - period * seasons


def neighbours(period: int, shorter: int = 0) -> NDArray[np.int64]:
    """The steps around a step, int64, that a seasonal mean is taken over: the step alone in short seasons.

    Args:
        period: the season in steps.
        shorter: the next shorter season, 0 where there is none. If it is long, the mean keeps its shape: neighbours
            are whole shorter seasons away, or as near as that season's own.
    """
    reach = period // 24 if period >= LONG_PERIOD else 0
    if shorter < LONG_PERIOD:
        return np.arange(-reach, reach + 1, max(1, period // 72))
    whole = shorter * np.arange(-(reach // shorter), reach // shorter + 1)
    return (whole[:, None] + neighbours(shorter)).reshape(-1)


def with_shorter(periods: tuple[int, ...]) -> zip[tuple[int, int]]:
    """Each season with the next shorter one, 0 for the first."""
    return zip(periods, (0, *periods), strict=False)


def references(windows: Windows, horizon: int, periods: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    """Forecasts of simple rules, by name; each knows what was observed before the origin alone.

    With m steps in a season, and k seasons from a step back to the last season that is known:

    - ``last value``: the last value that was observed (Hyndman & Athanasopoulos, Forecasting, section 5.2);
    - ``seasonal naive``: the value k m steps before (the same, section 5.2);
    - ``… with growth``: k times the mean difference between the last season and the one before is added;
    - ``… with drift``: the growth is the mean one of up to eight seasons;
    - ``… with recent growth``: the growth is that of the last quarter of a season;
    - ``… moved to the last value``: the last value's difference from the one a season before is added once;
    - ``seasonal mean``: the mean of up to eight seasons, for long seasons of neighbouring steps too, which keep the
      shape of a shorter long season;
    - ``seasonal mean with anomaly``: the last value's difference from that mean is added.

    The second and each further season's names end with its steps.

    Args:
        windows: the origins.
        horizon: the number of steps to forecast.
        periods: the seasons in steps.

    Returns:
        float64 (windows, horizon) by name; finite unless nothing at all was observed, where it is zero.
    """
    count = len(windows.which)
    size = max(1, min(AT_ONCE, MOST_STEPS // max(periods, default=1)))
    parts = [
        _references(windows.take(slice(begin, begin + size)), horizon, periods)
        for begin in range(0, max(count, 1), size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _references(windows: Windows, horizon: int, periods: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    last = last_values(windows)
    found = {"last value": np.repeat(last[:, None], horizon, axis=1)}
    for place, (period, shorter) in enumerate(with_shorter(periods)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing is NaN, as it should be
            seasonal = _seasonal(windows, horizon, (period, shorter), last)
        suffix = f" {period}" if place else ""
        found |= {f"{name}{suffix}": values for name, values in seasonal.items()}
    return found


def last_values(windows: Windows) -> NDArray[np.float64]:
    """The last observed value before each origin; zero where there is none."""
    last = windows.before(np.array([-1]))[:, 0]
    missing = np.isnan(last)
    if missing.any():
        last[missing] = np.nan_to_num(windows.history.last_before(windows.which[missing], windows.origins[missing]))
    return last


def _seasonal(
    windows: Windows, horizon: int, season_and_shorter: tuple[int, int], last: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    period, shorter = season_and_shorter
    near = neighbours(period, shorter)
    seasons, back = steps_before(horizon, period)
    value = windows.before(back)
    known = ~np.isnan(value)
    naive = np.where(known, value, last[:, None])
    season = np.arange(-period, 0)
    newest = windows.before(season)
    growth = _mean(newest - windows.before(season - period))
    quarter = np.arange(-max(1, period // 4), 0)
    recent = _mean(windows.before(quarter) - windows.before(quarter - period))
    drift = growth
    for count in range(2, MOST_SEASONS + 1):
        longer = _mean(newest - windows.before(season - period * count)) / count
        drift = np.where(np.isnan(longer), drift, longer)
    moved = last - windows.before(np.array([-1 - period]))[:, 0]
    mean = _seasonal_mean(windows, back, period, near, last)
    found = {
        "seasonal naive": naive,
        "seasonal naive with growth": naive + _per_season(growth, seasons, known),
        "seasonal naive with drift": naive + _per_season(drift, seasons, known),
        "seasonal naive with recent growth": naive + _per_season(recent, seasons, known),
        "seasonal naive moved to the last value": naive + np.where(known, np.nan_to_num(moved)[:, None], 0.0),
        "seasonal mean": mean,
    }
    if period >= LONG_PERIOD:
        now = _seasonal_mean(windows, np.array([-1 - period]), period, near, last)
        found["seasonal mean with anomaly"] = mean + (last[:, None] - now)
    return found


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.nanmean(values, axis=1))


def _per_season(
    growth: NDArray[np.float64], seasons: NDArray[np.int64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    return np.where(known, np.nan_to_num(growth)[:, None] * seasons, 0.0)


def _seasonal_mean(
    windows: Windows, back: NDArray[np.int64], period: int, near: NDArray[np.int64], last: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean over seasons, and steps `near`, at steps `back`, below zero; the last value where none was observed."""
    total = np.zeros((len(windows.which), len(back)))
    count = np.zeros_like(total)
    for earlier in range(MOST_SEASONS):
        for step in near:
            value = windows.before(np.minimum(back + step, -1) - period * earlier)
            seen = ~np.isnan(value)
            total += np.where(seen, value, 0.0)
            count += seen
    return np.where(count > 0, total / np.maximum(count, 1), last[:, None])
