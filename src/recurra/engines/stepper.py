"""The interface of steppers: they run a model's scans one step at a time."""

from __future__ import annotations

from typing import Any, Protocol

Array = Any  # a numpy array


class Stepper(Protocol):
    """Runs a number of sequences one step at a time, and holds their states."""

    def step(self, x: Any) -> Array:
        """Run one step and return the output, (batch, size).

        Args:
            x: (batch, input), or tokens (batch,). A single sequence may also come as (input,), or as one token; then
                the output is (size,).
        """
        ...

    def states(self) -> list[Array]:
        """Return a copy of the states of all scans, each (batch, size)."""
        ...

    def set_states(self, states: list[Array]) -> None:
        """Set the states to values that ``states`` has returned."""
        ...

    def reset(self, rows: list[int]) -> None:
        """Set the states of these sequences to zero."""
        ...
