"""Known results: the adding problem, copy memory, and sequential digits, with any cell of the zoo.

    python -m benchmarks.known_results adding --cell indrnn --cell lstm --cell gru
    python -m benchmarks.known_results copy --cell lstm --cell gru
    python -m benchmarks.known_results digits --cell lstm

- **adding** (Hochreiter & Schmidhuber 1997): 200 steps of a random number and a mark, two of which are set; the target
  is the sum of the two marked numbers. Guessing 1 has a mean squared error of 0.167; solved is below 0.01.
- **copy** (Arjovsky et al. 2016): ten symbols of eight, 100 blanks, a sign; then the ten symbols in their order. The
  memoryless baseline is 10 ln 8 / 120 = 0.173 nats a step; a memory is below it.
- **digits**: scikit-learn's 1,797 digits of 8×8, pixel by pixel, 64 steps; 360 are held out. Solved is 95 % of these.

A run ends when its result is reached, or after ``--updates``. ``--write`` puts its row into
benchmarks/known_results.json, which docs/zoo.md shows.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import recurra
from recurra.bench.machine import machine

FIGURES = Path(__file__).with_name("known_results.json")
CHECK = 100  # updates between two looks at the result
ADDING_STEPS = 200
SYMBOLS, BLANK = 8, 100  # of the copy task

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Task:
    """One of the three tasks.

    Attributes:
        features: of the input.
        steps: of a sequence.
        outputs: of the network.
        every_step: whether there is an output at every step; else after the last one alone.
        batch: a batch for training, from a generator.
        loss: of outputs and targets.
        held_out: the data that the result is measured on, from a generator.
        result: of outputs and targets, as a number.
        goal: the number to reach.
        more_is_better: whether results above the goal reach it.
    """

    features: int
    steps: int
    outputs: int
    every_step: bool
    batch: Callable[[torch.Generator], Batch]
    loss: Callable[[Tensor, Tensor], Tensor]
    held_out: Callable[[torch.Generator], Batch]
    result: Callable[[Tensor, Tensor], float]
    goal: float
    more_is_better: bool = False

    def is_reached(self, result: float) -> bool:
        """Whether a result is as good as the known one."""
        return result >= self.goal if self.more_is_better else result < self.goal


def adding(count: int, numbers: torch.Generator, steps: int = ADDING_STEPS) -> Batch:
    """Numbers and marks (steps, count, 2), and sums (count, 1)."""
    values, marks = torch.rand(steps, count, generator=numbers), torch.zeros(steps, count)
    for half in (0, steps // 2):
        marks[half + torch.randint(steps // 2, (count,), generator=numbers), torch.arange(count)] = 1
    return torch.stack([values, marks], -1), (values * marks).sum(0).unsqueeze(-1)


def copying(count: int, numbers: torch.Generator) -> Batch:
    """One-hot symbols (BLANK + 20, count, 10), and the symbol to give at each step."""
    symbols = torch.randint(1, SYMBOLS + 1, (10, count), generator=numbers)
    blanks = torch.zeros(BLANK - 1, count, dtype=torch.long)
    sign = torch.full((1, count), SYMBOLS + 1)
    given = torch.cat([symbols, blanks, sign, torch.zeros(10, count, dtype=torch.long)])
    wanted = torch.cat([torch.zeros(BLANK + 10, count, dtype=torch.long), symbols])
    return nn.functional.one_hot(given, SYMBOLS + 2).float(), wanted


def _entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def _accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs.argmax(-1) == targets).float().mean())


def digits_task() -> Task:
    """Sequential digits; needs scikit-learn, which carries the data."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(images, dtype=torch.float32)[order].T.unsqueeze(-1) / 16
    y = torch.tensor(labels, dtype=torch.long)[order]
    train = len(y) - 360

    def batch(numbers: torch.Generator) -> Batch:
        chosen = torch.randint(train, (64,), generator=numbers)
        return x[:, chosen], y[chosen]

    return Task(1, 64, 10, False, batch, _entropy, lambda _: (x[:, train:], y[train:]), _accuracy, 0.95, True)


def tasks() -> dict[str, Callable[[], Task]]:
    """The tasks by name."""

    def mean_squares(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    baseline = 10 * math.log(SYMBOLS) / (BLANK + 20)
    return {
        "adding": lambda: Task(
            2,
            ADDING_STEPS,
            1,
            False,
            lambda numbers: adding(50, numbers),
            mean_squares,
            lambda numbers: adding(1000, numbers),
            lambda outputs, targets: float(mean_squares(outputs, targets)),
            0.01,
        ),
        "copy": lambda: Task(
            SYMBOLS + 2,
            BLANK + 20,
            SYMBOLS + 1,
            True,
            lambda numbers: copying(64, numbers),
            _entropy,
            lambda numbers: copying(500, numbers),
            lambda outputs, targets: float(_entropy(outputs, targets)),
            0.95 * baseline,
        ),
        "digits": digits_task,
    }


class Network(nn.Module):
    """A layer of a cell and a linear map."""

    def __init__(self, cell: recurra.Cell, task: Task, hidden: int, layers: int) -> None:
        super().__init__()
        self.layer = recurra.nn.Recurrent(cell, task.features, hidden, num_layers=layers)
        self.head = nn.Linear(self.layer.output_size, task.outputs)
        self.every_step, self.layers, self.cell = task.every_step, layers, cell
        with torch.no_grad():
            if cell is recurra.cells.lstm:  # torch.nn's begins with a forget gate half open (Jozefowicz et al. 2015)
                for k in range(layers):
                    self.layer.get_parameter(f"bias_ih_l{k}")[hidden : 2 * hidden] = 1.0
            if cell is recurra.cells.indrnn:  # the last layer begins with long memories (Li et al. 2018, section 4.1)
                self.layer.get_parameter(f"u_l{layers - 1}").uniform_(0.5 ** (1 / task.steps), 1.0)

    def bound(self, steps: int) -> None:
        """Keep IndRNN's recurrent weights below 2 ** (1 / steps), so that ReLU cannot let the states grow (ibid.)."""
        if self.cell is recurra.cells.indrnn:
            limit = 2 ** (1 / steps)
            with torch.no_grad():
                for k in range(self.layers):
                    self.layer.get_parameter(f"u_l{k}").clamp_(-limit, limit)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of every step, or of the last one."""
        output, _ = self.layer(x)
        return self.head(output if self.every_step else output[-1])


def run(name: str, task: Task, given: argparse.Namespace) -> dict[str, Any]:
    """Train one cell, and return the row of its result."""
    torch.manual_seed(given.seed)
    network = Network(recurra.cells.all()[name], task, given.hidden, given.layers)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=given.lr)
    numbers = torch.Generator().manual_seed(given.seed + 1)
    x_held, y_held = task.held_out(torch.Generator().manual_seed(12345))
    result, update, seconds = math.nan, 0, 0.0
    while update < given.updates:
        start = time.perf_counter()
        for _ in range(min(CHECK, given.updates - update)):
            x, y = task.batch(numbers)
            optimizer.zero_grad()
            task.loss(network(x), y).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            network.bound(task.steps)
            update += 1
        seconds += time.perf_counter() - start
        with torch.no_grad():
            result = task.result(network(x_held), y_held)
        print(f"{given.task} {name} update {update:6} {seconds:7.1f} s  {result:.4f}", flush=True)
        if task.is_reached(result):
            break
    return {
        "task": given.task,
        "cell": name,
        "hidden": given.hidden,
        "layers": given.layers,
        "lr": given.lr,
        "seed": given.seed,
        "updates": update,
        "seconds": round(seconds, 1),
        "result": round(result, 4),
        "reached": task.is_reached(result),
        "threads": given.threads,
        "cpu": machine().cpu,
    }


def write(rows: Sequence[dict[str, Any]]) -> None:
    """Put rows into the file of figures; a row of the same task, cell and seed is replaced."""
    stored = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else []
    known = {(row["task"], row["cell"], row["seed"]): row for row in (*stored, *rows)}
    text = ",\n".join(json.dumps(known[key]) for key in sorted(known))
    FIGURES.write_text(f"[\n{text}\n]\n", encoding="utf-8")


DEFAULTS = {"adding": (128, 0.002, 10_000), "copy": (128, 0.002, 10_000), "digits": (64, 0.005, 4_000)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(tasks()))
    parser.add_argument("--cell", action="append", help="a cell of the zoo, several times for several; default lstm")
    parser.add_argument("--hidden", type=int, help="default 128; of digits 64")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--lr", type=float, help="Adam's step; default 0.002; of digits 0.005")
    parser.add_argument("--updates", type=int, help="at most; default 10,000; of digits 4,000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="torch's threads; default 2")
    parser.add_argument("--write", action="store_true", help=f"put the rows into {FIGURES.name}")
    given = parser.parse_args(arguments)
    for name, value in zip(("hidden", "lr", "updates"), DEFAULTS[given.task], strict=True):
        setattr(given, name, getattr(given, name) or value)
    unknown = sorted(set(given.cell or ()) - set(recurra.cells.all()))
    if unknown:
        parser.error(f"there is no cell {unknown[0]!r}; recurra cells lists all")
    torch.set_num_threads(given.threads)
    task = tasks()[given.task]()
    for name in given.cell or ["lstm"]:
        row = run(name, task, given)
        print(json.dumps(row))
        if given.write:
            write([row])


if __name__ == "__main__":
    main()
