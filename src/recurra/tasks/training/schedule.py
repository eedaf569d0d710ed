"""The learning rate of each update: warm-up, then half a cosine, a late decay, divisions at plateaus, or a constant."""

from __future__ import annotations

import math

from recurra.tasks.training.settings import TrainingSettings

DIVISOR = 4.0  # of the rate at a plateau
STABLE = 0.8  # the part of the budget before the decay of `wsd` begins


def rate(settings: TrainingSettings, step: int, fraction: float, plateaus: int) -> float:
    """The learning rate of an update.

    Args:
        settings: the rate at the start, the warm-up and the schedule.
        step: the number of updates before this one.
        fraction: the used part of the budget, from 0 to 1.
        plateaus: the number of evaluations so far that were no improvement.
    """
    warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "cosine":
        shape = (1 + math.cos(math.pi * fraction)) / 2
    elif settings.schedule == "wsd":
        shape = 1 - math.sqrt(max(0.0, fraction - STABLE) / (1 - STABLE))
    elif settings.schedule == "plateau":
        shape = DIVISOR**-plateaus
    else:
        shape = 1.0
    return settings.rate * warm * shape
