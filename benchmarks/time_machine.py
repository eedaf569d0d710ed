"""The character model of the textbooks on *The Time Machine*: training perplexity after 500 epochs.

The setup is that of Zhang, Lipton, Li & Smola, *Dive into Deep Learning* (2023), chapters 9 and 10: the first 10,000
characters (letters and single spaces, lower case), one-hot input, hidden size 256, 32 sequences of 35 steps, the state
carried from window to window, plain SGD with learning rate 1 (2 for two layers), gradients clipped to norm 1. They
report a perplexity of about 1.3 for the RNN and 1.1 for the LSTM and the GRU. The text is no part of the repository.
With --torch, torch.nn's layer is trained too, from the same weights, epoch by epoch in turns.

    python benchmarks/time_machine.py timemachine.txt --cell rnn --cell lstm
    python benchmarks/time_machine.py timemachine.txt --cell lstm --layers 2 --lr 2 --torch
"""

from __future__ import annotations

import argparse
import copy
import math
import random
import re
import statistics
import time
from collections.abc import Iterator
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


class Training:
    """One training: a layer, a linear map and an optimizer.

    Attributes:
        perplexities: the training perplexity of each epoch.
        seconds: the time of all epochs.
    """

    def __init__(self, layer: nn.Module, head: nn.Linear, rate: float) -> None:
        self.layer, self.head = layer, head
        self.parameters = [*layer.parameters(), *head.parameters()]
        self.optimizer = torch.optim.SGD(self.parameters, lr=rate)
        self.perplexities: list[float] = []
        self.seconds = 0.0

    def epoch(self, numbers: Tensor, letters: int, offset: int) -> None:
        """Train on all windows from an offset on."""
        begin = time.perf_counter()
        state, total, count = None, 0.0, 0
        for x, y in windows(numbers, offset):
            output, state = self.layer(functional.one_hot(x, letters).float(), detached(state))
            loss = functional.cross_entropy(self.head(output).flatten(0, 1), y.flatten())
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, CLIP)
            self.optimizer.step()
            total, count = total + float(loss.detach()) * y.numel(), count + y.numel()
        self.perplexities.append(math.exp(total / count))
        self.seconds += time.perf_counter() - begin

    def summary(self) -> str:
        """The median of the last 50 epochs, their extremes, and the seconds."""
        last = self.perplexities[-50:]
        middle, spread = statistics.median(last), f"{min(last):.3f} to {max(last):.3f}"
        return f"over the last {len(last)} epochs median {middle:.3f}, from {spread}; {self.seconds:.0f} s in all"


def trainings(cell: str, letters: int, layers: int, rate: float, seed: int, with_torch: bool) -> dict[str, Training]:
    """The trainings to compare, by name, which begin with the same weights."""
    torch.manual_seed(seed)
    layer = Recurrent(recurra.cells.all()[cell], letters, HIDDEN, layers)
    head = nn.Linear(HIDDEN, letters)
    made = {"recurra": Training(layer, head, rate)}
    if with_torch:
        theirs: nn.Module = getattr(nn, cell.upper())(letters, HIDDEN, layers)
        theirs.load_state_dict(layer.state_dict())
        made["torch.nn"] = Training(theirs, copy.deepcopy(head), rate)
    return made


def train(
    cell: str,
    numbers: Tensor,
    letters: int,
    epochs: int,
    seed: int = 0,
    layers: int = 1,
    rate: float = RATE,
    with_torch: bool = False,
) -> dict[str, Training]:
    """Train, in turns epoch by epoch, and return the trainings by name."""
    made = trainings(cell, letters, layers, rate, seed, with_torch)
    random.seed(seed)
    for epoch in range(1, epochs + 1):
        offset = random.randrange(STEPS)
        for name, each in made.items():
            each.epoch(numbers, letters, offset)
            if epoch % 50 == 0 or epoch == epochs:
                print(f"{cell}, {name}: epoch {epoch}, perplexity {each.perplexities[-1]:.3f}", flush=True)
    return made


def main() -> None:
    """Parse the command line, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--cell", action="append", choices=sorted(recurra.cells.all()))
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--lr", type=float, default=RATE)
    parser.add_argument("--torch", action="store_true", help="train torch.nn's layer too, in turns")
    options = parser.parse_args()
    numbers, letters = corpus(options.file)
    for cell in options.cell or ["rnn", "lstm"]:
        made = train(
            cell, numbers, letters, options.epochs, options.seed, options.layers, options.lr, with_torch=options.torch
        )
        for name, each in made.items():
            print(f"{cell}, {options.layers} layer(s), {name}: {each.summary()}")


if __name__ == "__main__":
    main()
