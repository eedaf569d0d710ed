"""``BatchForm``: the layout of the sequences that a layer runs over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from recurra.look.dimensions import Dimension


@dataclass(frozen=True)
class BatchForm:
    """The layout of a layer's input.

    Attributes:
        batch: sequences; None where it is not known.
        seq_len: steps of the longest sequence; None where it is not known.
        is_batched: whether there is a dimension for the batch.
        batch_sizes: for a packed input, the sequences that have each step; None for a dense one.
        order: for a packed input that was sorted, the caller's number of each sequence, the longest first.
    """

    batch: int | None = None
    seq_len: int | None = None
    is_batched: bool = True
    batch_sizes: tuple[int, ...] | None = None
    order: tuple[int, ...] | None = None

    @property
    def is_packed(self) -> bool:
        """Whether the input is a PackedSequence."""
        return self.batch_sizes is not None

    @property
    def rows(self) -> int | None:
        """Steps of all sequences together; None where they are not known."""
        if self.batch_sizes is not None:
            return sum(self.batch_sizes)
        return None if self.batch is None or self.seq_len is None else self.batch * self.seq_len

    @property
    def lengths(self) -> tuple[int, ...] | None:
        """For a packed input, the steps of each sequence, in the caller's order."""
        if self.batch_sizes is None or self.batch is None:
            return None
        by_row = [sum(size > row for size in self.batch_sizes) for row in range(self.batch)]
        lengths = [0] * self.batch
        for row, number in enumerate(self.order or range(self.batch)):
            lengths[number] = by_row[row]
        return tuple(lengths)

    @property
    def step_begins(self) -> tuple[int, ...]:
        """For a packed input, the row of the data at which each step begins, and the number of rows."""
        return (0, *accumulate(self.batch_sizes or ()))

    def batch_at(self, step: int | None) -> int | None:
        """The sequences that have a step."""
        if self.batch_sizes is None or step is None:
            return self.batch
        return self.batch_sizes[step]

    def leading(self, batch_first: bool) -> tuple[Dimension, ...]:
        """The dimensions of input and output before the features."""
        steps = Dimension("seq_len", self.seq_len)
        if self.is_packed:
            return (Dimension("sum of lengths", self.rows),)
        if not self.is_batched:
            return (steps,)
        batch = Dimension("batch", self.batch)
        return (batch, steps) if batch_first else (steps, batch)

    @property
    def states(self) -> tuple[Dimension, ...]:
        """The dimensions of states between the layers and the features."""
        return (Dimension("batch", self.batch),) if self.is_batched else ()
