"""The errors of a forecaster on left-out data, beside the naive forecasts: as a table, and by the step ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.page.document import PagePart
from recurra.page.line_chart import Line, LineChart
from recurra.page.parts import DataTable, Details
from recurra.series.backtest import MODEL
from recurra.series.metrics import STEP
from recurra.tasks.series.verdict import OWN, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.backtest import Backtest

MOST_ROWS = 60  # of the table of steps


def error_parts(tested: Backtest) -> list[PagePart]:
    """The errors of forecasts of left-out data.

    Args:
        tested: the forecasts.
    """
    named = {name: tested.measures(name) for name in tested.quantiles}
    head, *rows = rows_of(named)
    windows, horizon = int((tested.origins > 0).sum()), tested.actual.shape[2]
    caption = f"{int(named[MODEL].count):,} left-out values, in {windows:,} windows"
    parts: list[PagePart] = [DataTable(caption, head, rows, 0)]
    if horizon > 1:
        parts += [_chart(tested), _table(tested, horizon)]
    return parts


def _by_step(tested: Backtest, name: str) -> NDArray[np.float64]:
    return np.asarray(tested.measures(name, STEP).mase)


def _chart(tested: Backtest) -> LineChart:
    steps = np.arange(1, tested.actual.shape[2] + 1)
    lines = [Line(OWN, steps, _by_step(tested, MODEL))]
    lines += [Line(name, steps, _by_step(tested, name), "dashed") for name in tested.quantiles if name != MODEL]
    return LineChart("Error by the step ahead", lines, "steps ahead", "MASE")


def _table(tested: Backtest, horizon: int) -> Details:
    """The coverage at each step; of a long horizon at an evenly spread part of its steps."""
    own = tested.measures(MODEL, STEP)
    shares = (own.coverage80, own.coverage90)
    chosen = np.unique(np.linspace(0, horizon - 1, min(horizon, MOST_ROWS)).astype(int)).tolist()
    rows = [(str(step + 1), *(_percent(float(share[step])) for share in shares)) for step in chosen]
    return Details("What its intervals hold at each step", [DataTable("", ("step ahead", "80 %", "90 %"), rows)])


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"
