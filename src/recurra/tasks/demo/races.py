"""Races of one step of training: recurra and torch take turns, and are timed only if they compute the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recurra.errors import RunError
from recurra.look.timing import medians

# Sums in another order round differently; over some dozen steps in float32 correct engines differ by far less.
TOLERANCE = 1e-3
SECONDS = 1.5


@dataclass(frozen=True)
class Race:
    """The times of one training step on recurra and on torch, and the largest difference of their results.

    `ours` and `theirs` are medians in milliseconds over `rounds` rounds. `difference` is that of all results before the
    race, relative to the largest value of each.
    """

    name: str
    ours: float
    theirs: float
    rounds: int
    difference: float


@dataclass(frozen=True)
class Contender:
    """One side of a race.

    Attributes:
        results: computes what both sides must agree on: outputs and gradients.
        step: what is timed.
    """

    results: Callable[[], Sequence[Tensor]]
    step: Callable[[], object]


def raced(name: str, ours: Contender, theirs: Contender) -> Race:
    """Compare the results of two sides, then time them; they alternate, and take turns in going first.

    Args:
        name: what is raced.
        ours: recurra's side.
        theirs: torch's.

    Raises:
        RunError: the results differ.
    """
    pairs = zip(ours.results(), theirs.results(), strict=True)
    difference = max(float((mine - other).abs().max() / other.abs().max()) for mine, other in pairs)
    if not difference <= TOLERANCE:
        raise RunError(
            f"{name}: recurra and torch differ by {difference:.1e} from the same weights: no times are given"
        )
    (mine, other), rounds = medians([ours.step, theirs.step], SECONDS)
    return Race(name, mine, other, rounds, difference)


def of_calls(call: Callable[[], Tensor], weights: Sequence[nn.Parameter]) -> Contender:
    """A side that computes an output, and the gradients of the sum of its squares.

    Args:
        call: gives the output.
        weights: what the gradients are of.
    """

    def results() -> list[Tensor]:
        output = call()
        return [output.detach(), *torch.autograd.grad(output.square().sum(), list(weights))]

    return Contender(results, lambda: torch.autograd.grad(call().square().sum(), list(weights)))
