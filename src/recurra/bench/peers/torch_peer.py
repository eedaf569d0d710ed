"""torch.nn's own layers and cells, with recurra's weights under the same names."""

from __future__ import annotations

from torch import nn

from recurra.bench.problem import Problem
from recurra.bench.side import Side
from recurra.bench.torch_side import torch_side


def module(problem: Problem) -> nn.Module:
    """torch.nn's module of the same cell, sizes and weights."""
    shape, cell = problem.case.shape, problem.case.cell.upper()
    made: nn.Module
    if problem.case.group == "step":
        made = getattr(nn, f"{cell}Cell")(shape.input, shape.hidden)
    else:
        made = getattr(nn, cell)(shape.input, shape.hidden, shape.layers, bidirectional=shape.directions == 2)
    made = made.to(problem.x.data.dtype)
    made.load_state_dict(problem.layer.state_dict())
    return made


def side(problem: Problem, threads: int) -> Side:
    """The module, ready to be timed."""
    return torch_side("torch", module(problem), problem, threads=threads)
