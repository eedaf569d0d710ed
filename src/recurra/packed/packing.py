"""Packing of sequences of different lengths to rows, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array, PackedProgram

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Packing:
    """The packing of a padded batch: the longest sequence first, and for each step the rows that have not ended.

    Args:
        lengths: (batch,) whole numbers from 0 to T.
        steps: T.

    Raises:
        RecurraError: the lengths are not whole numbers (batch,) from 0 to T.
    """

    def __init__(self, lengths: NDArray[Any], steps: int) -> None:
        if lengths.ndim != 1 or (lengths.dtype.kind not in "iu" and lengths.size):
            raise RecurraError(f"lengths must be whole numbers (batch,); got {lengths.dtype} {lengths.shape}")
        if lengths.size and not (lengths.min() >= 0 and lengths.max() <= steps):
            raise RecurraError(
                f"lengths must be from 0 to the input's {steps} steps; got {lengths.min()} … {lengths.max()}"
            )
        lengths = self.lengths = lengths.astype(np.int64)
        self.order = np.argsort(-lengths, kind="stable")
        longest = int(lengths.max(initial=0))
        self.alive = np.arange(longest)[:, None] < lengths[self.order]  # (longest, batch)
        self.batch_sizes = self.alive.sum(1, dtype=np.int64)
        self.steps = steps

    def run(self, program: PackedProgram, x: Array, states: Sequence[Array]) -> tuple[Array, Sequence[Array]]:
        """Run over (T, batch, input); return the output, zero after each sequence's end, and the last states."""
        output = np.zeros((*x.shape[:2], program.output_size), x.dtype)
        if not len(self.batch_sizes):
            return output, [np.array(state) for state in states]
        rows = x[: len(self.alive), self.order][self.alive]
        result = program(rows, [np.ascontiguousarray(state[self.order]) for state in states], self.batch_sizes)
        padded = np.zeros((*self.alive.shape, program.output_size), x.dtype)
        padded[self.alive] = result.output
        output[: len(self.alive), self.order] = padded
        back = np.empty_like(self.order)
        back[self.order] = np.arange(len(self.order))
        return output, [state[back] for state in result.states]

    def last(self, values: Array) -> Array:
        """The last step of each sequence of (T, batch, features), as (1, batch, features); zeros where it has none."""
        picked: Array = values[np.maximum(self.lengths - 1, 0), np.arange(len(self.lengths))]
        return np.where(self.lengths[:, None] > 0, picked, 0).astype(values.dtype)[None]

    def clear(self, output: Array) -> None:
        """Set (T, batch, features) to zero after each sequence's end, in place."""
        ended = np.ones(output.shape[:2], bool)
        ended[: len(self.alive), self.order] = ~self.alive
        output[ended] = 0


def run_sequences(
    program: PackedProgram, x: Array, states: Sequence[Array], packing: Packing | None
) -> tuple[Array, Sequence[Array]]:
    """Run a program over padded sequences, or over sequences that all have T steps.

    Args:
        program: one layer in one direction.
        x: (T, batch, input).
        states: the first states, each (batch, size).
        packing: the packing of the sequences; None where all have T steps.

    Returns:
        The output (T, batch, features), 0 after the end of each sequence, and the last states; those of a sequence
        without steps are its first states.
    """
    if packing is not None:
        return packing.run(program, x, states)
    if x.shape[0] * x.shape[1] == 0:
        return np.zeros((*x.shape[:2], program.output_size), x.dtype), states
    result = program(x, states)
    return result.output, result.states
