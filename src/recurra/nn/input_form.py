"""The layout of a layer's input: dense or packed, with a batch or without."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.nn.running.exported_packing import has_all_rows
from recurra.nn.trace import Traced

Input = Tensor | PackedSequence


@dataclass(frozen=True)
class InputForm:
    """The layout of the caller's input, in which the results are returned too."""

    packed: PackedSequence | None
    is_batched: bool
    batch: int

    def rows_in(self, values: Tensor) -> Tensor:
        """Values with the batch in dimension 1, from the caller's order to the order of the rows."""
        order = self.packed.sorted_indices if self.packed is not None else None
        return values if order is None else values.index_select(1, order)

    def resets_in(self, reset: Tensor, batch_sizes: Tensor) -> Tensor:
        """A mask (steps, batch) as the mask of the packed rows."""
        rows = self.rows_in(reset)
        if has_all_rows():
            return rows.flatten()
        return torch.cat([rows[t, :size] for t, size in enumerate(batch_sizes.tolist())])

    def rows_out(self, values: Tensor) -> Tensor:
        """Values with the batch in dimension 1, from the order of the rows to the caller's order and layout."""
        order = self.packed.unsorted_indices if self.packed is not None else None
        values = values if order is None else values.index_select(1, order)
        return values if self.is_batched else values.squeeze(1)

    def steps_out(self, values: Tensor, batch_first: bool) -> Traced:
        """Values of every step, laid out as the input was."""
        if self.packed is not None:
            return PackedSequence(
                values, self.packed.batch_sizes, self.packed.sorted_indices, self.packed.unsorted_indices
            )
        if not self.is_batched:
            return values.squeeze(1)
        return values.transpose(0, 1) if batch_first else values
