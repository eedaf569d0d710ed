"""recurra's own LSTM beside a custom cell that has the same products, to show the cost of a cell of one's own."""

from __future__ import annotations

from recurra.bench.problem import Problem
from recurra.bench.side import Side
from recurra.bench.torch_side import torch_side
from recurra.nn import LSTM


def side(problem: Problem, threads: int) -> Side:
    """An LSTM of the same sizes; its equations differ, so its numbers are not compared."""
    shape = problem.case.shape
    return torch_side("own-lstm", LSTM(shape.input, shape.hidden), problem, threads=threads, compared=False)
