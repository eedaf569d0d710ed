"""The demo's forecast: two years of airline passengers from the ten before them, beside what came."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.backtest import MODEL
from recurra.tasks.report.forecasts import DrawnForecasts, drawn_backtest
from recurra.tasks.series.demo import KEPT_BACK, make_demo
from recurra.tasks.series.drawing import times_of
from recurra.tasks.series.models import make_settings
from recurra.tasks.series.runs import train_alone

if TYPE_CHECKING:
    from recurra.tasks.series.backtesting import BacktestReport
    from recurra.tasks.training.events import Callback

EVERY = 3  # months of the printed table


@dataclass(frozen=True)
class DemoForecast:
    """The forecast of months that the model never saw, beside what came.

    Attributes:
        report: the forecast and its measures.
    """

    report: BacktestReport

    @property
    def drawn(self) -> DrawnForecasts:
        """The forecast as a chart."""
        sentence = "Passengers of international airlines in thousands; the model never saw the last two years."
        return drawn_backtest(self.report.tested, self.report.opened, sentence)

    def rows(self) -> list[tuple[str, ...]]:
        """A table of every third month: month, forecast, the interval of 80 %, and what came."""
        tested = self.report.tested
        quantiles, came = tested.quantiles[MODEL][0, 0], tested.actual[0, 0]
        low, middle, high = (tested.levels.index(level) for level in (0.1, 0.5, 0.9))
        months = times_of(self.report.opened.form)(tested.positions[0, 0] + np.arange(len(came)))
        rows: list[tuple[str, ...]] = [("", "forecast", "80 % interval", "came")]
        for step in range(EVERY - 1, len(came), EVERY):
            row = quantiles[step]
            interval = f"{row[low]:.0f} to {row[high]:.0f}"
            rows.append((months[step], f"{row[middle]:.0f}", interval, f"{came[step]:.0f}"))
        return rows


def demo_forecast(seconds: float, callbacks: Sequence[Callback] = ()) -> DemoForecast:
    """Train a forecaster and compare its forecast with what came.

    Args:
        seconds: the time to train.
        callbacks: followers of the training.
    """
    with tempfile.TemporaryDirectory() as place:
        made = make_demo(Path(place) / "airline")
        model = train_alone(made.open(), make_settings(KEPT_BACK, minutes=seconds / 60), callbacks=callbacks)
        return DemoForecast(made.compare(model))
