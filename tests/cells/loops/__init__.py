"""The cells of the zoo once more, in plain torch, written from the papers and not from the cells.

Each function is one step, ``step(*inputs, *states, p) -> output, new states``; p has the parameters and options.
Who writes a cell does not write its loop, so that a misread paper is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tests.cells.loops import differential, gated, lstms, reservoirs, timed, without_products
from tests.cells.loops.parameters import Parameters

Step = Callable[..., tuple[Tensor, tuple[Tensor, ...]]]

LOOPS: dict[str, Step] = {
    name: value
    for module in (gated, lstms, without_products, differential, timed, reservoirs)
    for name, value in vars(module).items()
    if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
}


def run_loop(step: Step, inputs: Sequence[Tensor], states: Sequence[Tensor], p: Any) -> tuple[Tensor, list[Tensor]]:
    """The output of every step, (T, B, size), and the last states, of inputs (T, B, features) and states (B, size)."""
    outputs, now = [], tuple(states)
    for given in zip(*inputs, strict=True):
        output, now = step(*given, *now, p)
        outputs.append(output)
    return torch.stack(outputs), list(now)


__all__ = ["LOOPS", "Parameters", "Step", "run_loop"]
