"""The loop over the layers and directions of a module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def through_layers(
    count: int,
    directions: int,
    x: Tensor,
    run: Callable[[int, Tensor], Tensor],
    between: Callable[[Tensor], Tensor],
    merge_mode: str = "concat",
    adds_input: Sequence[bool] = (),
) -> Tensor:
    """Run all layers, and return the output of the last one.

    Args:
        count: the number of scans: layers times directions.
        directions: the number of scans of each layer.
        x: the input of the first layer.
        run: runs a scan, by its number, over its layer's input, and returns its output.
        between: changes the output of every layer but the last: dropout.
        merge_mode: how the outputs of both directions become one; see ``Recurrent``.
        adds_input: for each layer, whether its input is added to its output; empty where none is.
    """
    for begin in range(0, count, directions):
        outputs = [run(number, x) for number in range(begin, begin + directions)]
        output = outputs[0] if directions == 1 else merged(outputs, merge_mode)
        if begin + directions < count:
            output = between(output)
        x = x + output if adds_input and adds_input[begin // directions] else output
    return x


def merged(outputs: Sequence[Tensor], mode: str) -> Tensor:
    """Both directions' outputs as one."""
    if mode == "concat":
        return torch.cat(list(outputs), -1)
    forward, backward = outputs
    if mode == "mul":
        return forward * backward
    total = forward + backward
    return total / 2 if mode == "ave" else total
