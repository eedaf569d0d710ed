"""The loop over the layers and directions of a module."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def through_layers(
    count: int, directions: int, x: Tensor, run: Callable[[int, Tensor], Tensor], between: Callable[[Tensor], Tensor]
) -> Tensor:
    """Run all layers, and return the output of the last one.

    Args:
        count: the number of scans: layers times directions.
        directions: the number of scans of each layer.
        x: the input of the first layer.
        run: runs a scan, by its number, over its layer's input, and returns its output.
        between: changes the output of every layer but the last: dropout.
    """
    for begin in range(0, count, directions):
        outputs = [run(number, x) for number in range(begin, begin + directions)]
        x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
        if begin + directions < count:
            x = between(x)
    return x
