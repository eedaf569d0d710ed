"""Checks of panels before they are trained on: enough steps, and numbers that a count can have."""

from __future__ import annotations

import numpy as np

from recurra.errors import RunError, one_line
from recurra.series.panel import Panel
from recurra.series.panels import time_text

LEAST_HISTORY = 4  # steps before a horizon


def check_length(panel: Panel, horizon: int, least: int = LEAST_HISTORY) -> None:
    """Refuse a panel in which no series is long enough to learn a forecast from.

    Args:
        panel: the panel.
        horizon: the steps of a forecast.
        least: the observed steps that are needed before them. Default 4.

    Raises:
        RunError: the longest series has fewer steps; the message says how many are needed and how many are there.
    """
    longest = int(np.argmax(panel.lengths))
    steps = int(panel.lengths[longest])
    if steps >= horizon + least:
        return
    which = "the series has" if len(panel) == 1 else f"the longest series, {one_line(panel.ids[longest], 60)}, has"
    shorter = f", or name a shorter one: --horizon {steps - least}" if steps > least else ""
    raise RunError(
        f"{which} {steps} steps ({panel.frequency}); a horizon of {horizon} needs {horizon + least}: give a longer "
        f"history{shorter}"
    )


def check_counts(panel: Panel) -> None:
    """Refuse a panel with numbers that are no counts: below zero, or with fractions.

    Raises:
        RunError: there is such a number; the message has its series and time.
    """
    for name, start, values in zip(panel.ids, panel.starts, panel.target, strict=True):
        wrong = np.flatnonzero((values < 0) | (values != np.floor(values)) & ~np.isnan(values))
        if wrong.size:
            step = int(wrong[0])
            of = f"series {one_line(name, 60)} has" if name else "the series has"
            raise RunError(
                f"{of} {values[step]:g} at {time_text(panel.frequency, int(start) + step)}, and counts are whole "
                "numbers from 0: repair it, or choose another distribution"
            )
