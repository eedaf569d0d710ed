"""Autocast: operands in the dtype that ``torch.autocast`` asks for, as torch.nn.LSTM converts them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from recurra.engines.torch_internals import constant_when_compiled


@constant_when_compiled
def _has_autocast(kind: str) -> bool:
    """Whether a kind of device has autocast at all; torch.compile of torch 2.10 cannot trace this query."""
    return torch.amp.is_autocast_available(kind)


def is_autocast(x: Tensor) -> bool:
    """Whether autocast is on for x's kind of device; some, such as meta, have none."""
    kind = x.device.type
    return _has_autocast(kind) and torch.is_autocast_enabled(kind)


def autocast(values: Sequence[Tensor]) -> list[Tensor]:
    """Operands in the dtype of autocast; float64 stays."""
    return [
        value.to(torch.get_autocast_dtype(value.device.type))
        if value.is_floating_point() and value.dtype != torch.float64
        else value
        for value in values
    ]


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """A block in which torch's operations keep their operands' dtype."""
    return torch.autocast(x.device.type, enabled=False) if is_autocast(x) else nullcontext()
