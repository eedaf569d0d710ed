"""``frozen``: weights promised to stay as they are, so that they are packed once and not at every call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(module: nn.Module) -> Iterator[nn.Module]:
    """Promise that the weights of all layers and cells in a module do not change inside of a ``with`` block.

    Calls on dense sequences without gradients, ``reset`` or a trace then pack the weights once, in native code, instead
    of every time. The numbers are the same to the bit. A weight that is changed all the same may not be seen before the
    block ends.

    Args:
        module: a layer, a cell, or any module that holds some.
    """
    from recurra.nn.recurrent import Recurrent
    from recurra.nn.recurrent_cell import RecurrentCell

    calls = [part._calls for part in module.modules() if isinstance(part, (Recurrent, RecurrentCell))]
    calls = [each for each in calls if not each.is_frozen]
    for each in calls:
        each.is_frozen = True
    try:
        yield module
    finally:
        for each in calls:
            each.thaw()
