"""The losses of small trainings, alone or in several processes: ``python -m tests.tasks.text.curves FILE``."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from recurra.tasks.text.corpus import make_corpus
from recurra.tasks.text.job import TextJob
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.launch import launched
from recurra.tasks.training.loop import fit
from recurra.tasks.training.settings import TrainingSettings
from recurra.tasks.training.torchrun import TorchrunProcesses

LINES = ("the cat sat on the mat\n", "the dog sat on the log\n", "a cat and a dog ran\n")
TRAIN, VALID = ("".join(LINES[k * k % 3] for k in range(count)) for count in (210, 7))
PLAIN = TextSettings(
    seq_len=16,
    batch_size=8,
    model=ModelSettings(hidden=8, dropout=0.0),
    training=TrainingSettings(epochs=3, lr=0.02, evaluate_every=40, patience=0),
)
# 8 lanes and a window of validation for each of 7, which processes share out unevenly.
CASES = {
    "carried": PLAIN,
    "independent": replace(PLAIN, carry=False),
    "accumulated": replace(PLAIN, training=replace(PLAIN.training, accumulate=3, epochs=8)),
}


class Losses:
    """A ``Callback`` that keeps the losses."""

    def __init__(self):
        self.losses = {"train": [], "valid": []}

    def on_step(self, step):
        self.losses["train"].append(step.loss)

    def on_evaluation(self, evaluation):
        self.losses["valid"].append(evaluation.valid_loss)

    def on_end(self, outcome):
        assert outcome.is_finished


def curves(processes=None):
    """The losses of each case, in float32 and float64; those of all updates and of all evaluations."""
    found = {}
    for name, settings in CASES.items():
        for dtype in (torch.float32, torch.float64):
            job = TextJob(make_corpus(TRAIN, VALID, settings), settings, processes)
            job.model.to(dtype)
            losses = Losses()
            fit(job, settings.training, None, [losses], processes=processes)
            found[f"{name} {dtype}"] = losses.losses
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    processes = TorchrunProcesses(launched())
    found = curves(processes)
    processes.close()
    if processes.is_first:
        Path(sys.argv[1]).write_text(json.dumps(found))
