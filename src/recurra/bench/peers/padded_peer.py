"""recurra itself on the padded batch, to show the gain of packing."""

from __future__ import annotations

from dataclasses import replace

from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from recurra.bench.problem import Problem
from recurra.bench.side import Side
from recurra.bench.torch_side import torch_side


def side(problem: Problem, threads: int) -> Side:
    """The same layer on sequences padded with zeros; its numbers differ from where the padding begins."""
    assert isinstance(problem.x, PackedSequence)
    x, _ = pad_packed_sequence(problem.x)
    return torch_side("padded", problem.layer, replace(problem, x=x), threads=threads, compared=False)
