"""Sequences of different lengths as packed rows, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.runtime.run import Array, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Packing:
    """How a padded batch is packed: the longest sequence first, and of each step the rows that are still running.

    Args:
        lengths: (batch,) whole numbers from 0 to T.
        steps: T.

    Raises:
        RecurraError: they are not such.
    """

    def __init__(self, lengths: NDArray[Any], steps: int) -> None:
        if lengths.ndim != 1 or (lengths.dtype.kind not in "iu" and lengths.size):
            raise RecurraError(f"lengths must be whole numbers (batch,); got {lengths.dtype} {lengths.shape}")
        if lengths.size and not (lengths.min() >= 0 and lengths.max() <= steps):
            raise RecurraError(
                f"lengths must be from 0 to the input's {steps} steps; got {lengths.min()} … {lengths.max()}"
            )
        lengths = lengths.astype(np.int64)
        self.order = np.argsort(-lengths, kind="stable")
        longest = int(lengths.max(initial=0))
        self.alive = np.arange(longest)[:, None] < lengths[self.order]  # (longest, batch)
        self.batch_sizes = self.alive.sum(1, dtype=np.int64)
        self.steps = steps

    def run(self, run: Run, x: Array, states: Sequence[Array]) -> tuple[Array, Sequence[Array]]:
        """A run over (T, batch, input): outputs, zeros behind each sequence's end, and last states."""
        output = np.zeros((*x.shape[:2], run.output_size), x.dtype)
        if not len(self.batch_sizes):
            return output, [np.array(state) for state in states]
        rows = x[: len(self.alive), self.order][self.alive]
        result = run(rows, [np.ascontiguousarray(state[self.order]) for state in states], self.batch_sizes)
        padded = np.zeros((*self.alive.shape, run.output_size), x.dtype)
        padded[self.alive] = result.output
        output[: len(self.alive), self.order] = padded
        back = np.empty_like(self.order)
        back[self.order] = np.arange(len(self.order))
        return output, [state[back] for state in result.states]

    def clear(self, output: Array) -> None:
        """Zero (T, batch, features) behind each sequence's end, in place."""
        ended = np.ones(output.shape[:2], bool)
        ended[: len(self.alive), self.order] = ~self.alive
        output[ended] = 0
