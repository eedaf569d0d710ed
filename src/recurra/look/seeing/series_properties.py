"""Properties of the steps of a time series: the place in a season, weekday, month, level and trend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.look.seeing.properties import CATEGORY, CYCLE, NUMBER, Property

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_DAY = np.timedelta64(1, "D")
_USUAL = 12  # steps of a level where there is no season


def series_properties(
    values: ArrayLike, times: ArrayLike | None = None, periods: Sequence[int] = (), start: int = 0
) -> list[Property]:
    """The properties of every step of a series.

    Args:
        values: (steps,), the observed values; NaN where nothing was.
        times: datetime64 (steps,), the times by the clock of the series. Default: there are none.
        periods: the seasons in steps, such as 12 for months. Default: none.
        start: the position of the first step, from which places in a season are counted. Default 0.

    Returns:
        ``season N`` for each period, a cycle; ``hour``, ``weekday`` and ``month`` where the times are close enough,
        categories; ``value``; ``level``, the mean of the last season's values; and ``trend``, the change of the level
        over a season. The season of the last two is the first period, or 12 steps where there is none.

    Raises:
        ValueError: values and times differ in length, or a period is below 2.
    """
    observed = np.asarray(values, np.float64)
    if observed.ndim != 1:
        raise ValueError(f"the values must be (steps,); got {observed.shape}")
    if any(period < 2 for period in periods):
        raise ValueError(f"a season has 2 steps or more; got {list(periods)}")
    steps = start + np.arange(len(observed))
    found = [
        Property(f"season {period}", CYCLE, steps % period / period, f"place in a season of {period} steps")
        for period in periods
    ]
    if times is not None:
        clock = np.asarray(times).astype("datetime64[s]")
        if clock.shape != observed.shape:
            raise ValueError(f"there must be a time for each of {len(observed)} values; got {clock.shape}")
        found += _calendar(clock)
    span = min([*periods, *([_USUAL] if not periods else [])])
    level = _trailing(observed, span)
    trend = np.full_like(level, np.nan)
    trend[span:] = level[span:] - level[:-span] if len(level) > span else []
    return [
        *found,
        Property("value", NUMBER, observed, "the observed value"),
        Property("level", NUMBER, level, f"level: the mean of the last {span} values"),
        Property("trend", NUMBER, trend, f"trend: the change of the level over {span} steps"),
    ]


def _calendar(clock: NDArray[Any]) -> list[Property]:
    """The categories of times that lie close enough for them to change."""
    step = np.median(np.diff(clock)) if len(clock) > 1 else _DAY
    months = clock.astype("datetime64[M]").astype(np.int64) % 12
    days = (clock.astype("datetime64[D]").astype(np.int64) + 3) % 7  # Monday is 0
    hours = clock.astype("datetime64[h]").astype(np.int64) % 24
    found = []
    if step < _DAY:
        found.append(Property("hour", CATEGORY, hours, "hour of the day"))
    if step <= _DAY:
        found.append(Property("weekday", CATEGORY, days, "day of the week"))
    if step <= 31 * _DAY:
        found.append(Property("month", CATEGORY, months, "month of the year"))
    return found


def _trailing(values: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """The mean of the last values at each step, (steps,); NaN where fewer than half of them were observed."""
    seen = np.isfinite(values)
    sums = np.cumsum(np.concatenate([[0.0], np.where(seen, values, 0.0)]))
    counts = np.cumsum(np.concatenate([[0], seen]))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - span, 0)
    number = counts[ends] - counts[begins]
    total = sums[ends] - sums[begins]
    return np.asarray(np.where((number * 2 >= span) & (ends >= span), total / np.maximum(number, 1), np.nan))
