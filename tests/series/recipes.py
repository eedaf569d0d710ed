"""A recipe for tests: months, of which the seasonal naive forecast is the reference."""

from dataclasses import replace

import numpy as np

from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.recipe import Recipe

MEDIAN = LEVELS.index(0.5)


def recipe(horizon=4, context=12, periods=(12,), **changes):
    weights = np.zeros((min(3, horizon), 1 + sum(7 if period >= 20 else 6 for period in periods)))
    weights[:, 1] = 1  # the seasonal naive forecast
    made = Recipe(
        frequency=Frequency("MS"),
        horizon=horizon,
        context=context,
        periods=periods,
        reference_weights=tuple(map(tuple, weights.tolist())),
        reference_quantiles=((0.0,) * len(LEVELS),) * horizon,
        widths=(1.0,) * len(LEVELS),
    )
    return replace(made, **changes)
