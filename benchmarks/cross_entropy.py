"""The cross-entropy of a linear map and its gradients: in native code, by torch's operations in pieces, and torch's.

    python -m benchmarks.cross_entropy --threads 1 --threads 2 [--busy 2]

torch's side is ``cross_entropy(linear(…))`` and its backward pass. The three sides take turns, and their gradients of
the rows are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

import recurra
from benchmarks.busy import Busy
from recurra.bench.machine import machine
from recurra.bench.side import Side
from recurra.bench.timing import Rounds, race
from recurra.nn.linear_nats import Workspace, linear_nats

SHAPES = ((2240, 256, 100), (1120, 256, 1000), (700, 256, 10_000), (700, 200, 33_278))  # rows, features, classes
SIDES = ("native", "torch's operations", "torch")


def calls_of(rows: int, features: int, classes: int) -> list[Callable[[], list[Tensor]]]:
    """The three sides on the same numbers; each returns the loss and its gradients."""
    torch.manual_seed(0)
    hidden, weight = torch.randn(rows, features), torch.empty(classes, features).uniform_(-0.1, 0.1)
    tensors = [each.requires_grad_() for each in (hidden, weight, torch.zeros(classes))]
    targets = torch.randint(classes, (rows,))
    workspace = Workspace()

    def with_gradients(loss: Tensor) -> list[Tensor]:
        return [loss, *torch.autograd.grad(loss, tensors)]

    def ours(engine: str) -> list[Tensor]:
        with recurra.engine(engine):
            return with_gradients(linear_nats(*tensors, targets, "float32", workspace))

    def theirs() -> list[Tensor]:
        return with_gradients(functional.cross_entropy(functional.linear(*tensors), targets, reduction="sum"))

    return [lambda: ours("native"), lambda: ours("torch"), theirs]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, action="append", help="threads, several times for several; default 2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--busy", type=int, default=0, help="processes that keep processors busy beside the calls")
    given = parser.parse_args(arguments)
    print(f"{machine().processor}, torch {torch.__version__}, {given.busy} busy processes; ms of {', '.join(SIDES)}")
    for threads in given.threads or [2]:
        torch.set_num_threads(threads)
        for shape in SHAPES:
            calls = calls_of(*shape)
            first, *others = (call()[1] for call in calls)
            for other in others:
                torch.testing.assert_close(first, other)
            with Busy(given.busy):
                turns = Rounds(many=given.rounds, few=given.rounds, fewest=given.rounds)
                times = race([Side(name, call) for name, call in zip(SIDES, calls, strict=True)], turns)
            ms = [1e3 * statistics.median(each for each in times[name] if each is not None) for name in SIDES]
            shown = ", ".join(f"{each:.2f}" for each in ms)
            print(f"{threads} threads, {shape}: {shown}; x {ms[1] / ms[0]:.2f} and {ms[2] / ms[0]:.2f}", flush=True)


if __name__ == "__main__":
    main()
