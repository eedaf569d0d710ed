"""The loop over the layers and directions of a module."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def through_layers(
    count: int, directions: int, x: Tensor, run: Callable[[int, Tensor], Tensor], between: Callable[[Tensor], Tensor]
) -> Tensor:
    """The output of the last layer.

    Args:
        count: layers times directions.
        directions: scans of each layer.
        x: the input of the first layer.
        run: runs the scan of a number over its layer's input, and gives its output.
        between: what happens to the output of every layer but the last: dropout.
    """
    for begin in range(0, count, directions):
        outputs = [run(number, x) for number in range(begin, begin + directions)]
        x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
        if begin + directions < count:
            x = between(x)
    return x
