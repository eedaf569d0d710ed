"""The demo's parts: a model of Python's own source, and a race of its training step against torch.nn's."""

from __future__ import annotations

import contextlib
import copy
import re
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from recurra.look.timing import milliseconds
from recurra.tasks.demo.races import Contender, Race, raced
from recurra.tasks.text.corpus import default_corpus, make_corpus
from recurra.tasks.text.job import TextJob
from recurra.tasks.text.reading import split_text
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.text.token_model import TokenModel, nats
from recurra.tasks.training.settings import TrainingSettings

SETTINGS = TextSettings(
    seq_len=32,
    batch_size=32,
    model=ModelSettings(cell="lstm", hidden=160, dropout=0.0),
    training=TrainingSettings(lr=6e-3, minutes=20 / 60, evaluate_every=100, patience=0),
)
VALID_FRACTION = 0.02
STEPS_TRIED, LEAST_TRIED, SECONDS_TRIED = 7, 3, 1.5  # with each number of threads


def demo_job() -> TextJob:
    """The demo's model and text, ready to train.

    Raises:
        RunError: this Python comes without its source.
    """
    text = with_tabs(default_corpus())
    return TextJob(make_corpus(*split_text(text, VALID_FRACTION), SETTINGS), SETTINGS)


def with_tabs(source: str) -> str:
    """Write every four spaces of indentation as a tab: runs of spaces are long and easy to predict."""
    return re.sub(r"(?m)^(?: {4})+", lambda spaces: "\t" * (len(spaces[0]) // 4), source)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def thread_counts() -> list[int]:
    """The numbers of threads to try: one, and the number that torch uses."""
    return sorted({1, torch.get_num_threads()})


def faster_threads(job: TextJob) -> int:
    """The number among :func:`thread_counts` with which a step is fastest now.

    Operations as small as the demo's often gain nothing from a second thread, and lose much if another program uses
    its core.
    """
    step = _stepper(copy.deepcopy(job.model), *next(job.train.windows(job.steps)))
    medians = {}
    for count in thread_counts():
        with threads(count):
            medians[count] = statistics.median(_tried(step))
    return min(medians, key=medians.__getitem__)


def _tried(step: Callable[[], None]) -> list[float]:
    """The times of some steps in milliseconds, without the first ones; of slow steps fewer."""
    times, begin = [milliseconds(step)], time.monotonic()
    while len(times) < STEPS_TRIED and (len(times) < LEAST_TRIED or time.monotonic() - begin < SECONDS_TRIED):
        times.append(milliseconds(step))
    return times[min(2, len(times) - 1) :]


def race(model: TokenModel, inputs: Tensor, targets: Tensor) -> Race:
    """Time a training step of a model whose cell is lstm against the same model on torch.nn.LSTM.

    Both start from the same weights, and are timed only if they compute the same numbers.

    Args:
        model: the model; it is copied, not trained.
        inputs: a window, ``(T, B)``.
        targets: the window's targets, ``(T, B)``.

    Raises:
        RunError: the results differ.
    """
    ours, theirs = copy.deepcopy(model).train(), on_torch(model).train()
    sides = [
        Contender(partial(_results, each, inputs, targets), _stepper(each, inputs, targets)) for each in (ours, theirs)
    ]
    return raced("language model", *sides)


def on_torch(model: TokenModel) -> TokenModel:
    """Copy a model whose cell is lstm, with torch.nn.LSTM in place of recurra's layer, and the same weights."""
    copied, layer = copy.deepcopy(model), model.recurrent
    theirs = nn.LSTM(model.embedding.embedding_dim, model.output.in_features, layer.num_layers)
    theirs.load_state_dict(layer.state_dict())
    copied.recurrent = theirs  # type: ignore[assignment]
    return copied


def _stepper(model: TokenModel, inputs: Tensor, targets: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        nats(model(inputs)[0], targets).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def _results(model: TokenModel, inputs: Tensor, targets: Tensor) -> list[Tensor]:
    logits = model(inputs)[0]
    loss = nats(logits, targets)
    return [loss.detach(), logits.detach(), *torch.autograd.grad(loss, list(model.parameters()))]
