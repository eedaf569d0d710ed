"""``frozen``, a promise that weights stay as they are: native code then packs them once and not in every call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from recurra.nn.recurrent import Recurrent
from recurra.nn.recurrent_cell import RecurrentCell


@contextmanager
def frozen(module: nn.Module) -> Iterator[nn.Module]:
    """Promise that the weights of all layers and cells in a module do not change inside of a ``with`` block.

    Calls on dense sequences without gradients, ``reset`` or a trace then pack the weights once instead of every time.
    The results are the same to the bit. If a weight is changed inside of the block all the same, the change may have no
    effect before the block ends.

    Args:
        module: a layer, a cell, or any module that holds some.
    """
    calls = [part._calls for part in module.modules() if isinstance(part, (Recurrent, RecurrentCell))]
    calls = [each for each in calls if not each.is_frozen]
    for each in calls:
        each.is_frozen = True
    try:
        yield module
    finally:
        for each in calls:
            each.thaw()
