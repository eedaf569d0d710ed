"""The interface of a fused cross-entropy: a linear map to many classes, the loss and its gradients in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Memory = Any  # that calls of one engine reuse


class LinearNats(Protocol):
    """Sums the cross-entropies of the logits ``hidden @ weight.T + bias``, on torch's tensors on the CPU."""

    def memory(self) -> Memory:
        """Make memory for calls; empty at first."""

    def __call__(
        self,
        memory: Memory,
        hidden: Any,
        weight: Any,
        bias: Any | None,
        targets: Any,
        gradients: Sequence[Any | None],
        most_bytes: int,
    ) -> float:
        """Return the sum in nats, and write gradients. Bits do not depend on the number of threads.

        Args:
            memory: of :meth:`memory`; a second caller waits for the first.
            hidden: (rows, features), float32 or float64, as are all but targets.
            weight: (classes, features).
            bias: (classes,), or None for zeros.
            targets: the class of each row, int64 (rows,).
            gradients: contiguous tensors for those of hidden, weight and bias; None where not wanted.
            most_bytes: about the memory that probabilities may take.

        Raises:
            IndexError: a target is no class.
            ValueError: sizes do not fit; the message names the dimensions.
        """
