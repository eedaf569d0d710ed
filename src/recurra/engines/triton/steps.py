"""The steps of a run as kernels see them, and the arrays of a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from recurra.engines.protocol import Call
from recurra.program import Variable


class LoopArrays(NamedTuple):
    """The tensors that a loop reads: of constants, of rows, and the first value of each state."""

    constants: Mapping[Variable, Tensor]
    rows: Mapping[Variable, Tensor]
    states: Sequence[Tensor]


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of a run.

    Attributes:
        steps: the number of steps.
        batch: the number of sequences.
        rows: the number of rows, over all steps.
        begins: int64 (T,), the first row of each step; None for a dense batch.
        counts: int32 (T,), the rows of each step; None for a dense batch.
        reset: int8 (rows,), not 0 where states are reset; None for nowhere.
        is_backward: whether resets act on what a step hands on, not on what it receives.
        descends: whether the run goes from the last step to the first.
    """

    steps: int
    batch: int
    rows: int
    begins: Tensor | None
    counts: Tensor | None
    reset: Tensor | None
    is_backward: bool
    descends: bool

    @property
    def first(self) -> int:
        """The number of the step that comes first."""
        return self.steps - 1 if self.descends else 0

    @property
    def direction(self) -> int:
        """The number that is added to a step's number to get the next one's."""
        return -1 if self.descends else 1

    @property
    def reset_mode(self) -> int:
        """0 without resets, 1 where they act on states as they enter a step, 2 on gradients as they leave it."""
        return 0 if self.reset is None else 2 if self.is_backward else 1


def steps_of(call: Call, is_backward: bool) -> Steps:
    """The steps of a call, in the order of its forward or backward pass."""
    x = call.x
    batch = int(call.states[0].shape[0]) if call.states else int(x.shape[1])
    begins = counts = None
    if call.batch_sizes is None:
        steps, rows = int(x.shape[0]), int(x.shape[0] * x.shape[1])
    else:
        sizes = torch.as_tensor(call.batch_sizes, dtype=torch.int64)
        steps, rows = len(sizes), int(x.shape[0])
        begins = (sizes.cumsum(0) - sizes).to(x.device, non_blocking=True)
        counts = sizes.to(torch.int32).to(x.device, non_blocking=True)
    reset = None if call.reset is None else call.reset.reshape(-1).to(torch.int8)
    return Steps(steps, batch, rows, begins, counts, reset, is_backward, call.reverse != is_backward)
