"""``frozen``: weights promised to stay as they are, so that they are packed once and not at every call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

# For each frozen layer or cell its packed weights, by scan and dtype; filled as calls come.
_FROZEN: WeakKeyDictionary[nn.Module, dict[tuple[int, bool], Any]] = WeakKeyDictionary()


def packed(module: nn.Module) -> dict[tuple[int, bool], Any] | None:
    """Where a module's packed weights are kept; None where it is not frozen."""
    return _FROZEN.get(module) if _FROZEN else None


@contextmanager
def frozen(module: nn.Module) -> Iterator[nn.Module]:
    """Promise that the weights of all layers and cells in a module do not change inside of a ``with`` block.

    Calls without gradients then pack the weights once, in native code, instead of every time. The numbers are the same
    to the bit. A weight that is changed all the same may not be seen before the block ends.

    Args:
        module: a layer, a cell, or any module that holds some.
    """
    from recurra.nn.recurrent import Recurrent
    from recurra.nn.recurrent_cell import RecurrentCell

    parts = [part for part in module.modules() if isinstance(part, (Recurrent, RecurrentCell)) and part not in _FROZEN]
    for part in parts:
        _FROZEN[part] = {}
    try:
        yield module
    finally:
        for part in parts:
            _FROZEN.pop(part, None)
