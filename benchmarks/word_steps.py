"""Training steps of a word-level language model: recurra's, and the usual script with torch.nn's layers, in turns.

The model is the one of WikiText-2's table in docs/results.md: two LSTM layers of 200 units, 33,278 words, windows of 35
steps of 20 lanes, SGD with clipped gradients. torch's side is an embedding, nn.LSTM, nn.Linear and the cross-entropy of
all logits. Both begin with the same weights, and their first losses are compared before anything is timed.

    python -m benchmarks.word_steps --threads 1 --threads 2 [--tied] [--sampled 4000] [--busy 2]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.busy import Busy
from recurra.bench.machine import machine
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import TokenModel

WORDS, UNITS, STEPS, LANES, CLIP, RATE = 33_278, 200, 35, 20, 0.25, 1.0


class Plain(nn.Module):
    """The model as scripts for torch write it, with the weights of recurra's."""

    def __init__(self, model: TokenModel, dropout: float, tied: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, UNITS)
        self.recurrent = nn.LSTM(UNITS, UNITS, 2, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(UNITS, WORDS)
        self.load_state_dict(model.state_dict())
        if tied:
            self.output.weight = self.embedding.weight

    def nats(self, x: Tensor, y: Tensor) -> Tensor:
        """The cross-entropy, summed over the tokens."""
        hidden, _ = self.recurrent(self.embedding(x))
        return functional.cross_entropy(self.output(self.dropout(hidden)).flatten(0, 1), y.flatten(), reduction="sum")


class Ours(nn.Module):
    """recurra's model with the same method."""

    def __init__(self, model: TokenModel) -> None:
        super().__init__()
        self.model = model

    def nats(self, x: Tensor, y: Tensor) -> Tensor:
        """The cross-entropy, summed over the tokens."""
        return self.model.nats(x, y, None, "auto")[0]


def step(model: Plain | Ours, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> float:
    """The seconds of an update."""
    begin = time.perf_counter()
    optimizer.zero_grad()
    (model.nats(x, y) / y.numel()).backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()
    return time.perf_counter() - begin


def race(
    sides: Sequence[Plain | Ours],
    optimizers: Sequence[torch.optim.Optimizer],
    x: Tensor,
    y: Tensor,
    threads: int,
    rounds: int,
) -> list[float]:
    """The median milliseconds of each side's steps, which take turns; the first step of each is not counted."""
    torch.set_num_threads(threads)
    times: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + 1):
        for side, optimizer, taken in zip(sides, optimizers, times, strict=True):
            seconds = step(side, optimizer, x, y)
            if number:
                taken.append(seconds)
    return [statistics.median(taken) * 1e3 for taken in times]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, action="append", help="threads, several times for several; default 2")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tied", action="store_true", help="the embedding's weights are the output's")
    parser.add_argument("--busy", type=int, default=0, help="processes that keep processors busy beside the steps")
    parser.add_argument("--sampled", type=int, default=0, help="recurra's softmax is estimated over so many words")
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    settings = ModelSettings(
        hidden=UNITS, layers=2, embedding=UNITS, tied=given.tied, dropout=0.2, sampled=given.sampled
    )
    ours = Ours(TokenModel(WORDS, settings))
    plain = Plain(ours.model, 0.2, given.tied)
    x, y = torch.randint(WORDS, (2, STEPS, LANES))
    sides = ours, plain
    with torch.no_grad():
        losses = [float(side.eval().nats(x, y)) / y.numel() for side in sides]
    print(f"{machine().processor}, torch {torch.__version__}; loss {losses[0]:.5f} and {losses[1]:.5f} nats")
    optimizers = [torch.optim.SGD(side.train().parameters(), RATE) for side in sides]
    with Busy(given.busy):
        for threads in given.threads or [2]:
            mine, theirs = race(sides, optimizers, x, y, threads, given.rounds)
            print(f"{threads} threads: recurra {mine:.1f} ms, torch.nn {theirs:.1f} ms a step; x {theirs / mine:.2f}")


if __name__ == "__main__":
    main()
