"""The fused cross-entropy of the native engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import recurra._native as _native
from recurra.engines.native.kernel import threads


class NativeLinearNats:
    """Implements ``cross_entropy.LinearNats``."""

    def memory(self) -> _native.Memory:
        """Make memory for calls; empty at first."""
        return _native.Memory()

    def __call__(
        self,
        memory: _native.Memory,
        hidden: Any,
        weight: Any,
        bias: Any | None,
        targets: Any,
        gradients: Sequence[Any | None],
        most_bytes: int,
    ) -> float:
        """Return the sum in nats, and write gradients."""
        given = [None if each is None else each.detach().contiguous().numpy() for each in (hidden, weight, bias)]
        results = [None if each is None else each.numpy() for each in gradients]
        return _native.linear_nats(memory, *given, targets.contiguous().numpy(), *results, most_bytes, threads())
