"""torch.nn's own layers and cells, with recurra's weights under the same names."""

from __future__ import annotations

from torch import nn

from recurra.bench.problem import Problem
from recurra.bench.side import Side
from recurra.bench.torch_side import torch_side


def module(problem: Problem) -> nn.Module:
    """torch.nn's module of the same cell, sizes and weights."""
    shape, cell = problem.case.shape, problem.case.cell.upper()
    theirs: nn.Module
    if problem.case.group == "step":
        theirs = getattr(nn, f"{cell}Cell")(shape.input, shape.hidden)
    else:
        theirs = getattr(nn, cell)(shape.input, shape.hidden, shape.layers, bidirectional=shape.directions == 2)
    theirs = theirs.to(problem.x.data.dtype)
    theirs.load_state_dict(problem.layer.state_dict())
    return theirs


def side(problem: Problem, threads: int) -> Side:
    """The module, ready to be timed."""
    return torch_side("torch", module(problem), problem, threads=threads)
