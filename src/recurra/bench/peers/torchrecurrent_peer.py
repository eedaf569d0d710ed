"""torchrecurrent's layers of the same equations; each is a loop over time in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from recurra.bench.peers.stacked import stack, unstack
from recurra.bench.problem import Problem
from recurra.bench.side import Side
from recurra.bench.torch_side import torch_side

_LAYERS = {"peephole_lstm": "PeepholeLSTM", "mgu": "MGU"}
_CELL = "cells.0."


def module(problem: Problem) -> nn.Module:
    """The layer with recurra's weights; its second bias is zero."""
    import torchrecurrent

    case = problem.case
    layer = cast(nn.Module, getattr(torchrecurrent, _LAYERS[case.cell])(case.shape.input, case.shape.hidden))
    weights = stack(case.cell, problem.weights)
    named = {"weight_ih": weights["W"].T, "weight_hh": weights["U"].T, "bias_ih": weights["b"]}
    named["bias_hh"] = torch.zeros_like(weights["b"])
    if "p" in weights:
        named["weight_ph"] = weights["p"]
    layer.load_state_dict({_CELL + name: value for name, value in named.items()})
    return layer


def side(problem: Problem, threads: int) -> Side:
    """The layer, ready to be timed."""

    def renamed(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        theirs = {name.removeprefix(_CELL): value for name, value in gradients.items()}
        stacked = {"W": theirs["weight_ih"].T, "U": theirs["weight_hh"].T, "b": theirs["bias_ih"]}
        if "weight_ph" in theirs:
            stacked["p"] = theirs["weight_ph"]
        return unstack(problem.case.cell, stacked)

    return torch_side("torchrecurrent", module(problem), problem, threads=threads, renamed=renamed)
