"""Intervals of a forecast by their share in per cent, such as 80 for the quantiles 0.1 and 0.9."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.errors import RunError
from recurra.series.forecast import Forecast


def of_intervals(forecast: Forecast, intervals: Sequence[float] | None) -> Forecast:
    """The median and the quantiles of some intervals alone.

    Args:
        forecast: the forecast.
        intervals: the intervals in per cent; None for all quantiles.

    Raises:
        RunError: the forecast has no such interval; the message lists those that it has.
    """
    if intervals is None:
        return forecast
    wanted = {0.5}
    for interval in intervals:
        low = round(0.5 - interval / 200, 6)
        high = round(1 - low, 6)
        if not low < 0.5 or low not in forecast.levels or high not in forecast.levels:
            offered = ", ".join(f"{round(100 - 200 * level, 4):g}" for level in forecast.levels if level < 0.5)
            raise RunError(f"there is no interval of {interval:g} %: --level can be {offered}, or several of them")
        wanted |= {low, high}
    kept = [number for number, level in enumerate(forecast.levels) if level in wanted]
    levels = tuple(forecast.levels[number] for number in kept)
    return Forecast(forecast.ids, forecast.positions, levels, forecast.quantiles[:, :, kept])
