"""recurra itself on one thread, in the same process, to show the gain of the other threads."""

from __future__ import annotations

from recurra.bench.problem import Problem
from recurra.bench.side import Side
from recurra.bench.torch_side import torch_side


def side(problem: Problem, threads: int) -> Side:
    """The same layer with torch, and so recurra, set to one thread while it runs."""
    return torch_side("one-thread", problem.layer, problem, threads=1)
