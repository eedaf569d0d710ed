"""The character model of the textbooks on *The Time Machine*: training perplexity after 500 epochs.

The setup is that of Zhang, Lipton, Li & Smola, *Dive into Deep Learning* (2023), chapters 9 and 10: the first 10,000
characters (letters and single spaces, lower case), one-hot input, hidden size 256, 32 sequences of 35 steps, the state
carried from window to window, plain SGD with learning rate 1, gradients clipped to norm 1. They report a perplexity of
about 1.3 for the RNN and 1.1 for the LSTM and the GRU. The text is no part of the repository.

    python benchmarks/time_machine.py timemachine.txt --cell rnn --cell lstm
"""

from __future__ import annotations

import argparse
import math
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

import recurra.cells
from recurra.nn import Recurrent

BATCH, STEPS, HIDDEN, RATE, CLIP, CHARACTERS = 32, 35, 256, 1.0, 1.0, 10_000


def corpus(path: Path) -> tuple[Tensor, int]:
    """The characters as numbers, and the number of different ones."""
    text = re.sub("[^a-z]+", " ", path.read_text(encoding="utf-8").lower()).strip()[:CHARACTERS]
    letters = sorted(set(text))
    return torch.tensor([letters.index(character) for character in text]), len(letters)


def windows(numbers: Tensor, offset: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets, (STEPS, BATCH) each: consecutive windows over BATCH lanes of the text."""
    lanes = numbers[offset:]
    length = (len(lanes) - 1) // BATCH
    x = lanes[: BATCH * length].reshape(BATCH, length).T
    y = lanes[1 : BATCH * length + 1].reshape(BATCH, length).T
    for start in range(0, length - STEPS + 1, STEPS):
        yield x[start : start + STEPS], y[start : start + STEPS]


def detached(state: Tensor | tuple[Tensor, ...] | None) -> Tensor | tuple[Tensor, ...] | None:
    """A state that is detached from the windows before."""
    if isinstance(state, tuple):
        return tuple(value.detach() for value in state)
    return None if state is None else state.detach()


def our_layer(cell: str, letters: int) -> nn.Module:
    """recurra's layer of a cell."""
    return Recurrent(recurra.cells.all()[cell], letters, HIDDEN)


def torch_layer(cell: str, letters: int) -> nn.Module:
    """The layer of torch.nn: RNN, LSTM or GRU."""
    layer: nn.Module = getattr(nn, cell.upper())(letters, HIDDEN)
    return layer


def train(
    cell: str,
    numbers: Tensor,
    letters: int,
    epochs: int,
    seed: int = 0,
    make: Callable[[str, int], nn.Module] = our_layer,
) -> list[float]:
    """Train and return each epoch's training perplexity."""
    torch.manual_seed(seed)
    random.seed(seed)
    layer, head = make(cell, letters), nn.Linear(HIDDEN, letters)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=RATE)
    perplexities: list[float] = []
    started = time.perf_counter()
    for epoch in range(1, epochs + 1):
        state, total, count = None, 0.0, 0
        for x, y in windows(numbers, random.randrange(STEPS)):
            output, state = layer(functional.one_hot(x, letters).float(), detached(state))
            loss = functional.cross_entropy(head(output).flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            total, count = total + float(loss.detach()) * y.numel(), count + y.numel()
        perplexities.append(math.exp(total / count))
        if epoch % 50 == 0 or epoch == epochs:
            seconds = time.perf_counter() - started
            print(f"{cell}: epoch {epoch}, perplexity {perplexities[-1]:.3f}, {seconds:.0f} s", flush=True)
    return perplexities


def main() -> None:
    """Parse the command line, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--cell", action="append", choices=sorted(recurra.cells.all()))
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--torch", action="store_true", help="run torch.nn's layer instead")
    options = parser.parse_args()
    numbers, letters = corpus(options.file)
    for cell in options.cell or ["rnn", "lstm"]:
        make = torch_layer if options.torch else our_layer
        last = train(cell, numbers, letters, options.epochs, options.seed, make)[-50:]
        middle, spread = statistics.median(last), f"{min(last):.3f} to {max(last):.3f}"
        print(f"{cell}: over the last {len(last)} epochs median {middle:.3f}, from {spread}")


if __name__ == "__main__":
    main()
