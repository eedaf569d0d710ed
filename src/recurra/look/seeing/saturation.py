"""Saturated and dead units: gates that are nearly closed or open, activations near their bounds, values that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLOSED, OPEN = 0.1, 0.9  # of a gate, a sigmoid
BOUND = 0.9  # of the size of a tanh
ALWAYS = 0.95  # of the steps: a unit that is saturated so often is
UNCHANGED = 1e-6  # the range of a dead unit's values, relative to their size where that is above 1

DEFINITIONS = (
    "A gate (a sigmoid) is left-saturated where it is below 0.1 and right-saturated where it is above 0.9 (Karpathy, "
    "Johnson & Fei-Fei 2015). A tanh is saturated where its size is above 0.9. A unit counts as saturated if it is so "
    "in at least 95 % of the steps. A unit is dead if its value never changes: its range over all steps is at most "
    "1e-6, or 1e-6 of its size where that is above 1."
)


@dataclass(frozen=True, eq=False)
class Saturation:
    """How often the units of one variable are saturated, and which are dead.

    Attributes:
        name: the variable.
        layer: its layer.
        direction: its direction, 0 forward and 1 reverse.
        operation: what computes it: ``sigmoid``, ``tanh`` or another operation, whose units are never saturated.
        low: float64 (units,), the share of steps below 0.1 (of a sigmoid) or below -0.9 (of a tanh).
        high: float64 (units,), the share of steps above 0.9.
        dead: bool (units,), whether the value never changes; all False where there is one step alone.
    """

    name: str
    layer: int
    direction: int
    operation: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    dead: NDArray[np.bool_]

    @property
    def saturated(self) -> NDArray[np.bool_]:
        """bool (units,): saturated on either side in at least 95 % of the steps."""
        return np.asarray(self.low + self.high >= ALWAYS)

    @property
    def can_saturate(self) -> bool:
        """Whether the variable has bounds that it can be near to."""
        return self.operation in ("sigmoid", "tanh")


def saturation_of(values: NDArray[np.floating], name: str, layer: int, direction: int, operation: str) -> Saturation:
    """The saturation of a variable's units.

    Args:
        values: (steps, units).
        name: the variable.
        layer: its layer.
        direction: its direction.
        operation: what computes it.
    """
    nothing = np.zeros(values.shape[1])
    low = high = nothing
    if operation == "sigmoid":
        low, high = (values < CLOSED).mean(0), (values > OPEN).mean(0)
    elif operation == "tanh":
        low, high = (values < -BOUND).mean(0), (values > BOUND).mean(0)
    size = np.maximum(np.abs(values).max(0), 1.0)
    dead = (np.ptp(values, 0) <= UNCHANGED * size) & (len(values) > 1)
    return Saturation(name, layer, direction, operation, low, high, dead)
