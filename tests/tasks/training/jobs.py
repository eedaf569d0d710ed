"""Small jobs for the tests of the training loop, and a follower that keeps all events."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from recurra.tasks.run import create_run
from recurra.tasks.training.events import Evaluation, Step
from recurra.tasks.training.loop import fit


class Line:
    """A job that fits one number: the loss of each of the ten items of a window is (w − 3)²."""

    item = "item"
    annotations: ClassVar = {}
    windows_per_epoch = 4
    windows_per_evaluation = 1

    def __init__(self, scale=1.0, valid=None):
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.module.weight)
        self.scale, self.valid = scale, valid

    def begin_epoch(self, epoch):
        pass

    def loss(self, window):
        return 10 * self.scale * (self.module.weight - 3).square().sum(), 10

    def state_tensors(self):
        return []

    def evaluate(self, stop):
        return (next(self.valid) if self.valid else float((self.module.weight.detach() - 3).square().sum())), 1

    def figures(self, loss):
        return {"root": math.sqrt(max(loss, 0))}


class Series:
    """A job with a carried state, random masks and a buffer: a recurrent net that predicts noise from noise.

    Args:
        dtype: of the weights and the data.
        items: the number of items of each window, one after the other.
    """

    item = "row"
    annotations: ClassVar = {}
    windows_per_evaluation = 2

    def __init__(self, dtype=torch.float32, items=(6, 6, 6, 4, 6)):
        torch.manual_seed(3)
        self.module = nn.RNN(3, 5).to(dtype)
        self.data = [torch.randn(2, count // 2, 3).to(dtype) for count in items]
        self.windows_per_epoch = len(items)
        self.wanted = [torch.randn(2, count // 2, 5).to(dtype) for count in items]
        self.state = None
        self.evaluations = 0

    def begin_epoch(self, epoch):
        self.state = None
        order = torch.Generator().manual_seed(epoch)
        self.order = torch.randperm(self.windows_per_epoch, generator=order).tolist()

    def loss(self, window):
        number = self.order[window]
        x = nn.functional.dropout(self.data[number], 0.25)
        state = None if self.state is None else self.state[:, : x.shape[1]].contiguous()
        output, after = self.module(x, state)
        self.state = nn.functional.pad(after.detach(), (0, 0, 0, 3 - after.shape[1]))
        return (output - self.wanted[number]).square().mean(-1).sum(), x.shape[0] * x.shape[1]

    def state_tensors(self):
        return [] if self.state is None else [self.state]

    def load_state_tensors(self, tensors):
        (self.state,) = tensors

    def evaluate(self, stop):
        self.evaluations += 1
        with torch.no_grad():
            output, _ = self.module(self.data[0])
            if stop():
                return None
            return float((output - self.wanted[0]).square().mean(-1).sum()), output.shape[0] * output.shape[1]

    def figures(self, loss):
        return {}


@dataclass
class Events:
    """A ``Callback`` that keeps all events; `at` is called with each."""

    at: object = None
    all: list = field(default_factory=list)
    outcome: object = None

    def on_step(self, step):
        self._take(step)

    def on_evaluation(self, evaluation):
        self._take(evaluation)

    def on_end(self, outcome):
        self.outcome = outcome

    def _take(self, event):
        self.all.append(event)
        if self.at is not None:
            self.at(event)

    @property
    def steps(self):
        return [event for event in self.all if isinstance(event, Step)]

    @property
    def evaluations(self):
        return [event for event in self.all if isinstance(event, Evaluation)]


def trained(job, settings, folder=None, at=None, **options):
    """Train a job, and return the events."""
    events = Events(at)
    run = None if folder is None else create_run(folder, {"task": "test"})
    fit(job, settings, run, [events], **options)
    return events
