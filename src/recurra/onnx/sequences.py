"""Batches whose sequences end at different steps, as the packed rows that engines take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurra.onnx.table import Array


@dataclass(frozen=True)
class Lengths:
    """How long the sequences of a batch are, in any order.

    Attributes:
        order: the sequences by length, the longest first.
        is_in: for the sorted sequences, bool (steps, batch), whether a step is in.
        batch_sizes: how many sequences are in each step, for the steps that have some.
    """

    order: Array
    is_in: Array
    batch_sizes: Array

    @staticmethod
    def of(lengths: Array, steps: int, batch: int) -> Lengths | None:
        """The lengths given, (batch,); None where all sequences have all steps.

        Raises:
            ValueError: they are not one for each sequence, or out of range.
        """
        if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
            raise ValueError(
                f"sequence_lens must be {batch} whole numbers, one for each sequence of the batch; "
                f"got {lengths.dtype} of shape {lengths.shape}"
            )
        if batch and (lengths.min() < 0 or lengths.max() > steps):
            raise ValueError(f"sequence_lens must be from 0 to seq_length={steps}; got {lengths.tolist()}")
        if (lengths == steps).all():
            return None
        order = np.argsort(-lengths.astype(np.int64), kind="stable")
        is_in = np.arange(steps)[:, None] < lengths[order]
        sizes = is_in.sum(1)
        return Lengths(order, is_in, sizes[sizes > 0])

    def pack(self, padded: Array) -> Array:
        """The steps of (steps, batch, features) that are in, one after the other as rows."""
        return padded[:, self.order][self.is_in]

    def unpack(self, rows: Array) -> Array:
        """(steps, batch, features) of packed rows; 0 in steps that are not in."""
        padded = np.zeros((*self.is_in.shape, rows.shape[-1]), rows.dtype)
        in_order = np.zeros_like(padded)
        in_order[self.is_in] = rows
        padded[:, self.order] = in_order
        return padded

    def sort(self, batch: Array) -> Array:
        """(batch, features) in the order of the packed rows."""
        return batch[self.order]

    def unsort(self, batch: Array) -> Array:
        """(batch, features) in the order of the caller, of what ``sort`` gave."""
        result = np.empty_like(batch)
        result[self.order] = batch
        return result
