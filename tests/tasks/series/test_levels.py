"""Intervals by their share in per cent."""

import numpy as np
import pytest

from recurra.errors import RunError
from recurra.series.forecast import LEVELS, Forecast
from recurra.tasks.series.levels import of_intervals

FORECAST = Forecast(("",), np.zeros(1, np.int64), LEVELS, np.arange(22.0).reshape(1, 2, 11))


def test_intervals():
    assert of_intervals(FORECAST, None) is FORECAST
    chosen = of_intervals(FORECAST, [80, 90.0])
    assert chosen.levels == (0.05, 0.1, 0.5, 0.9, 0.95)
    assert chosen.quantiles[0, 1].tolist() == [11, 12, 16, 20, 21]
    assert of_intervals(FORECAST, []).levels == (0.5,)


@pytest.mark.parametrize("interval", [0, 85, 100, -80, float("nan")])
def test_there_are_no_others(interval):
    with pytest.raises(RunError, match="--level can be 90, 80, 60, 40, 20"):
        of_intervals(FORECAST, [interval])
