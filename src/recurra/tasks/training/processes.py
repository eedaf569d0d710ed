"""The processes that train one model together, and the one process of an ordinary training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Processes(Protocol):
    """The calls by which processes train together; every process makes each call at the same point.

    All processes start from the same weights, and each computes the gradients of its own share of every batch. So they
    stay equal as long as they take the same decisions, which they take from the results of :meth:`reduce` and
    :meth:`sum` alone.
    """

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        ...

    @property
    def count(self) -> int:
        """The number of processes."""
        ...

    @property
    def is_first(self) -> bool:
        """Whether this is process 0, which alone writes files and prints."""
        ...

    @property
    def device(self) -> torch.device:
        """The device that this process computes on."""
        ...

    def reduce(self, gradients: Sequence[Tensor], numbers: Sequence[float]) -> list[float]:
        """Sum the gradients over all processes, in place, and return the sums of the numbers; one collective.

        Args:
            gradients: the gradients of a sum over this process's items, of the same shapes in all processes.
            numbers: some numbers, summed in float64.
        """
        ...

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """The sums of the numbers over all processes, in float64."""
        ...

    def gather(self, tensors: Sequence[Tensor], dim: int) -> list[Tensor] | None:
        """Join each tensor with those of the other processes, in order of ranks, along a dimension.

        The lengths along this dimension may differ between processes.

        Returns:
            The joined tensors in process 0, None in the others.
        """
        ...

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors of all other processes, in place, with those of process 0."""
        ...

    def same(self, content: bytes) -> bool:
        """Whether all processes call this with the same bytes."""
        ...


class OneProcess:
    """The only process of a training, in the form of ``Processes``: there is nothing to exchange."""

    rank = 0
    count = 1
    is_first = True
    device = torch.device("cpu")

    def reduce(self, gradients: Sequence[Tensor], numbers: Sequence[float]) -> list[float]:
        """The numbers themselves; the gradients stay."""
        return list(numbers)

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """The numbers themselves."""
        return list(numbers)

    def gather(self, tensors: Sequence[Tensor], dim: int) -> list[Tensor] | None:
        """The tensors themselves."""
        return list(tensors)

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Leave the tensors as they are."""

    def same(self, content: bytes) -> bool:
        """True: there is nothing to compare with."""
        return True
