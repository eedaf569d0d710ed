"""Calls as profilers show them: ``recurra::LSTM``, with the shape of x, as torch shows its own operations."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from torch.nn.utils.rnn import PackedSequence

from recurra.engines.torch_internals import profiled_as


def profiled_call(module: Any, x: Any) -> AbstractContextManager[object]:
    """A block that profilers show by the module's class, or by the cell where the class takes any cell.

    Args:
        module: a layer or cell.
        x: its input; of a packed one, the rows.
    """
    name = type(module).__name__
    shown = module.cell.name if name in ("Recurrent", "RecurrentCell") else name
    block: AbstractContextManager[object] = profiled_as(
        f"recurra::{shown}", (x.data if isinstance(x, PackedSequence) else x,)
    )
    return block
