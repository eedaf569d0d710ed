"""The text job: training from files to a run folder."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from recurra.errors import RunError
from recurra.model.vocabulary import to_content
from recurra.tasks.run import create_run
from recurra.tasks.text.batching import Lanes, lanes_that_fit
from recurra.tasks.text.corpus import Corpus
from recurra.tasks.text.language_model import (
    StackState,
    bits_per_char,
    build,
    detached,
    nats,
    perplexity,
    total_nats,
)
from recurra.tasks.text.loading import TASK
from recurra.tasks.text.settings import TextSettings
from recurra.tasks.training import loop
from recurra.tasks.training.loop import Evaluation, Step

# Long windows are cheapest where no gradients are computed; the result does not depend on the length.
MEASURING_STEPS = 256


@dataclass(frozen=True)
class TextEvaluation(Evaluation):
    """An evaluation of a language model: the loss is a mean over tokens in nats, and the others follow from it."""

    perplexity: float
    bits_per_char: float


class TextJob:
    """A language model and its text, in the form of the training loop's ``Job``.

    Args:
        corpus: the texts.
        settings: the settings of model and training; the weights are drawn from torch's generator, which is seeded.

    Raises:
        RunError: the text is shorter than one window, or the model does not fit in memory.
    """

    def __init__(self, corpus: Corpus, settings: TextSettings) -> None:
        settings.check()
        self.corpus, self.settings = corpus, settings
        vocabulary, self.steps = corpus.vocabulary, settings.seq_len
        tokens, valid = corpus.train.tokens, corpus.valid.tokens
        if len(tokens) < settings.seq_len:
            window = f"one window of --seq-len {settings.seq_len}"
            raise RunError(f"the text is too short: {len(tokens)} tokens to train on are less than {window}")
        self.valid_tokens = len(valid)
        self.batch_size = lanes_that_fit(len(tokens), settings.batch_size, self.steps)
        self.train = Lanes(tokens, self.batch_size, vocabulary.start)
        lanes = lanes_that_fit(len(valid), settings.batch_size, self.steps)
        self.valid = Lanes(valid, lanes, vocabulary.start, complete=True)
        torch.manual_seed(settings.seed)
        self.model = build(len(vocabulary), settings.model)

    @property
    def module(self) -> nn.Module:
        """The model."""
        return self.model

    @property
    def steps_per_epoch(self) -> int:
        """The number of windows of the training text."""
        return self.train.count(self.steps)

    @property
    def steps_per_evaluation(self) -> int:
        """The number of windows of the validation text."""
        return self.valid.count(self.steps)

    def losses(self) -> Iterator[tuple[Tensor, int]]:
        """Read the training text once; windows pass the state on, without its gradient.

        Yields:
            The mean cross-entropy of a window in nats, and its number of tokens.
        """
        state: StackState = None
        for inputs, targets in self.train.windows(self.steps):
            logits, state = self.model(inputs, detached(state))
            yield nats(logits, targets), targets.numel()

    def evaluate(self) -> float:
        """The mean cross-entropy per token of the validation text, in nats."""
        return total_nats(self.model, self.valid, MEASURING_STEPS) / self.valid_tokens


def train_text(job: TextJob, folder: Path) -> Generator[Step | TextEvaluation, None, None]:
    """Train a language model into a new folder.

    Whenever the iteration ends (after its last event, by ``close()``, or by an exception such as KeyboardInterrupt),
    the folder holds the best model so far and a line of metrics per evaluation. Before the first evaluation it holds
    the model of that moment. The folder is made at the first ``next``.

    Args:
        job: the model and the text.
        folder: a path where nothing exists.

    Yields:
        A step after each update, and an evaluation after each pass over the validation text.

    Raises:
        RunError: the folder exists or cannot be written to, or the loss is no longer a number.
    """
    run = create_run(folder, _config(job))
    try:
        for event in loop.train(job, job.settings.training):
            if isinstance(event, Step):
                yield event
                continue
            if event.best:
                run.save_model(job.model, {"vocabulary": job.corpus.vocabulary})
            evaluation = _in_words(event, job)
            run.add_metrics(_metrics(evaluation))
            yield evaluation
    finally:
        if not run.has_model() and all(bool(torch.isfinite(weight).all()) for weight in job.model.parameters()):
            run.save_model(job.model, {"vocabulary": job.corpus.vocabulary})


def _in_words(event: Evaluation, job: TextJob) -> TextEvaluation:
    bits = bits_per_char(event.valid_loss * job.valid_tokens, job.corpus.valid.characters)
    return TextEvaluation(**asdict(event), perplexity=perplexity(event.valid_loss), bits_per_char=bits)


def _metrics(event: TextEvaluation) -> dict[str, float]:
    return {
        "step": event.step,
        "epoch": event.epoch,
        "train_loss": event.train_loss,
        "valid_loss": event.valid_loss,
        "perplexity": event.perplexity,
        "bits_per_char": event.bits_per_char,
        "tokens_per_second": event.items_per_second,
        "seconds": event.seconds,
    }


def _config(job: TextJob) -> dict[str, object]:
    chosen = asdict(job.settings)
    model, loop, settings = chosen.pop("model"), chosen.pop("training"), job.settings
    del chosen["level"]  # it is the vocabulary's
    loop |= {**chosen, "lr": settings.training.rate, "min_count": settings.least_count, "batch_size": job.batch_size}
    if math.isinf(settings.training.clip):
        loop["clip"] = None  # JSON has no infinity
    vocabulary = to_content(job.corpus.vocabulary)
    return {"task": TASK, "model": model, "training": loop, "vocabulary": vocabulary}
