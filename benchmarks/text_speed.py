"""The training of a language model on recurra's kernels and on torch.nn's layers, in turns.

It reads the run folder of a training, with its texts and settings, and makes its model anew. Each round trains the same
number of updates with each engine, from where the rounds before have come to; the engine `torch` runs LSTMs, GRUs and
RNNs by torch.nn's own functions. Everything else is the same: the output, the optimizer, the text.

    recurra text train book.txt --out run --minutes 5
    python benchmarks/text_speed.py run --threads 2
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

import recurra
from recurra.tasks.run import open_run
from recurra.tasks.text.job import TextJob, open_text
from recurra.tasks.text.loading import TASK
from recurra.tasks.training.learner import Learner

ENGINES = ("native", "torch")


class Rounds:
    """The updates of a training, one after the other, and how fast each engine was.

    Attributes:
        speeds: of each engine, the tokens per second of its rounds.
    """

    def __init__(self, job: TextJob) -> None:
        self.job, self.learner = job, Learner(job.model, job.settings.training)
        self.next = 0
        self.speeds: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        job.model.train()

    def run(self, engine: str, updates: int) -> None:
        """Train some updates with an engine."""
        tokens, begin = 0, time.perf_counter()
        with recurra.engine(engine):
            for _ in range(updates):
                tokens += self._update()
        self.speeds[engine].append(tokens / (time.perf_counter() - begin))

    def _update(self) -> int:
        if self.next % self.job.windows_per_epoch == 0:
            self.job.begin_epoch(self.next // self.job.windows_per_epoch)
        for gradient in self.learner.gradients():
            gradient.zero_()
        total, tokens = self.job.loss(self.next % self.job.windows_per_epoch)
        total.backward()
        self.learner.update(tokens, self.job.settings.training.rate / 10, 0)
        self.next += 1
        return tokens

    def difference(self) -> float:
        """The relative difference between the engines' cross-entropies of the first window, without dropout."""
        self.job.model.eval()
        losses = []
        for engine in ENGINES:
            self.job.begin_epoch(0)
            with recurra.engine(engine), torch.no_grad():
                losses.append(float(self.job.loss(0)[0]))
        self.job.model.train()
        return abs(losses[0] - losses[1]) / losses[1]


def main() -> None:
    """Time a run's training, and print tokens per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--updates", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rounds = Rounds(open_text(open_run(options.run, TASK)))
    print(f"the engines' losses differ by {rounds.difference():.1e} of their size")
    for number in range(options.rounds + 1):
        for engine in ENGINES if number % 2 else ENGINES[::-1]:
            rounds.run(engine, options.updates)
    medians = {engine: statistics.median(speeds[1:]) for engine, speeds in rounds.speeds.items()}
    for engine, median in medians.items():
        print(f"{engine:8}{median:10,.0f} tokens/s")
    print(f"native / torch.nn: {medians['native'] / medians['torch']:.2f}")


if __name__ == "__main__":
    main()
