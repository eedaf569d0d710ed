"""Races of one step of training: recurra and torch take turns, and are timed only if they compute the same numbers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recurra.errors import RunError

# Sums in another order round differently; over some dozen steps in float32 correct engines differ by far less.
TOLERANCE = 1e-3
ROUNDS, FEWEST = 25, 5
SECONDS = 1.5
WARM = 2  # the first rounds, which also allocate memory and fill caches


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
    sides = [(each.step, list[float]()) for each in (ours, theirs)]
    begin, rounds = time.monotonic(), 0
    while rounds < FEWEST or (rounds < ROUNDS and time.monotonic() - begin < SECONDS):
        for step, times in sides if rounds % 2 == 0 else reversed(sides):
            times.append(milliseconds(step))
        rounds += 1
    mine, other = (statistics.median(times[WARM:]) for _, times in sides)
    return Race(name, mine, other, rounds, difference)


def milliseconds(step: Callable[[], object]) -> float:
    """The time of a call."""
    start = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - start)


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
