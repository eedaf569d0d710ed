"""The text job: training from files to a run folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from recurra.errors import RunError
from recurra.model.file import CONFIG
from recurra.model.vocabulary import to_content
from recurra.tasks.provenance import provenance
from recurra.tasks.report.writing import end_with_report
from recurra.tasks.run import RunFolder, create_run, refuse_newer
from recurra.tasks.text.batching import PADDING, Lanes, lanes_that_fit
from recurra.tasks.text.configuration import Sources, config_of, read_config
from recurra.tasks.text.corpus import Corpus, read_corpus
from recurra.tasks.text.dropout_defaults import passes_of, with_dropout
from recurra.tasks.text.first_values import begin_with_text
from recurra.tasks.text.loading import TASK, vocabulary_of_run
from recurra.tasks.text.sample_default import with_sample
from recurra.tasks.text.settings import TextSettings
from recurra.tasks.text.token_model import (
    StackState,
    bits_per_char,
    build,
    detached,
    leaves_of,
    perplexity,
    weights_left_out,
    weights_of_a_token,
    with_leaves,
)
from recurra.tasks.training.events import Callback, TrainingOutcome
from recurra.tasks.training.loop import fit
from recurra.tasks.training.processes import OneProcess, Processes

# Without gradients a token takes about a third of the time, and long windows are cheaper. So a window of an evaluation
# takes as long as an update, and a signal is noticed after it as soon.
MEASURED_WINDOWS = 3

_logger = logging.getLogger("recurra")


class TextJob:
    """A language model and its text, in the form of the training loop's ``Job``.

    Args:
        corpus: the texts.
        settings: the settings of model and training; the weights are drawn from torch's generator, which is seeded.
            What they leave to the text, such as dropout, is in the attribute `settings`.
        processes: the processes that train together, each on its share of the lanes. Default: this one alone.
        begins: whether the training begins; one that goes on takes its weights from a checkpoint, and needs no first
            values from the text.

    Raises:
        RunError: the text is shorter than one window or has fewer lanes than there are processes, or the model does not
            fit in memory.
    """

    item = "token"

    def __init__(
        self, corpus: Corpus, settings: TextSettings, processes: Processes | None = None, *, begins: bool = True
    ) -> None:
        settings.check()
        self.corpus = corpus
        vocabulary, self.steps = corpus.vocabulary, settings.seq_len
        ids, valid = corpus.train.tokens, corpus.valid.tokens
        if len(ids) < settings.seq_len:
            window = f"one window of --seq-len {settings.seq_len}"
            raise RunError(f"the text is too short: {len(ids)} tokens to train on are less than {window}")
        self.valid_tokens = len(valid)
        self.batch_size = lanes_that_fit(len(ids), settings.batch_size, self.steps)
        self.processes = processes = processes or OneProcess()
        self.share = share_of(self.batch_size, processes)
        if settings.carry:
            self.train = Lanes(ids, self.batch_size, vocabulary.start).choose(self.share)
            self.windows_per_epoch = self.train.count(self.steps)
        else:
            self.train = Lanes.of_windows(ids, self.steps, vocabulary.start)
            self.windows_per_epoch = self.train.batch // self.batch_size
        lanes = lanes_that_fit(len(valid), settings.batch_size, self.steps)
        whole = Lanes(valid, lanes, vocabulary.start, complete=True)
        self.valid = whole.choose(share_of(lanes, processes, empty=True))
        model = with_sample(settings.model, len(vocabulary))
        trained, left_out = (count(len(vocabulary), model) for count in (weights_of_a_token, weights_left_out))
        self.windows_per_evaluation = round(whole.count(self.steps) * (1 + left_out / trained))
        passes = passes_of(len(ids), trained, settings.training)
        self.settings = settings = replace(settings, model=with_dropout(model, passes))
        torch.manual_seed(settings.seed)
        self.model = build(len(vocabulary), settings.model).to(processes.device)
        if begins:
            begin_with_text(self.model, ids)
        self._state: StackState = None
        self._order: Sequence[int] = ()

    @property
    def module(self) -> nn.Module:
        """The model."""
        return self.model

    @property
    def annotations(self) -> dict[str, object]:
        """The vocabulary, which the model's file holds too."""
        return {"vocabulary": self.corpus.vocabulary}

    def begin_epoch(self, epoch: int) -> None:
        """Begin at the beginning of the lanes, or draw the order of independent windows."""
        self._state = None
        if not self.settings.carry:
            self._order = np.random.default_rng([self.settings.seed, epoch]).permutation(self.train.batch).tolist()

    def window(self, number: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a window of this epoch, each ``(T, B)``, of this process's share."""
        if self.settings.carry:
            inputs, targets = self.train.window(number, self.steps)
        else:
            chosen = [self._order[number * self.batch_size + lane] for lane in self.share]
            inputs, targets = self.train.choose(chosen).window(0, self.steps)
        return inputs.to(self.processes.device), targets.to(self.processes.device)

    def loss(self, window: int) -> tuple[Tensor, int]:
        """The cross-entropy of a window in nats, summed over its tokens, and their number."""
        inputs, targets = self.window(window)
        total, state = self.model.nats(inputs, targets, self._state, self.settings.training.precision)
        if self.settings.carry:
            self._state = detached(state)
        return total, targets.numel()

    def state_tensors(self) -> list[Tensor]:
        """The state that the next window starts from, each tensor ``(layers, lanes, hidden)``."""
        return list(leaves_of(self._state))

    def load_state_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Take over this process's share of a state of :meth:`state_tensors`.

        Raises:
            RunError: these are not the tensors of such a state.
        """
        device = self.processes.device
        with torch.no_grad():
            self.model.eval()
            _, state = self.model(torch.zeros((1, self.batch_size), dtype=torch.int64, device=device))
            self.model.train()
        own = [(each.shape, each.dtype) for each in leaves_of(state)]
        if [(tensor.shape, tensor.dtype) for tensor in tensors] != own:
            raise RunError("its state is not that of this model and batch")
        mine = [tensor[:, list(self.share)].to(device) for tensor in tensors]
        self._state = with_leaves(state, iter(mine))

    @torch.no_grad()
    def evaluate(self, stop: Callable[[], bool]) -> tuple[float, int] | None:
        """The cross-entropy of this process's share of the validation text in nats, and the number of its tokens."""
        total, tokens, state = 0.0, 0, None
        if not self.valid.chosen:
            return total, tokens
        self.model.eval()
        try:
            for inputs, targets in self.valid.windows(MEASURED_WINDOWS * self.steps):
                inputs, targets = inputs.to(self.processes.device), targets.to(self.processes.device)
                window, state = self.model.nats(inputs, targets, state)
                total += float(window)
                tokens += int((targets != PADDING).sum())
                if stop():
                    return None
        finally:
            self.model.train()
        return total, tokens

    def figures(self, loss: float) -> dict[str, float]:
        """Perplexity and bits per character of a mean cross-entropy of the validation text."""
        bits = bits_per_char(loss * self.valid_tokens, self.corpus.valid.characters)
        return {"perplexity": perplexity(loss), "bits_per_char": bits}


def share_of(lanes: int, processes: Processes, *, empty: bool = False) -> range:
    """The lanes of a process: as many as those of any other, or one more.

    Raises:
        RunError: a process would have none, and `empty` is false.
    """
    if lanes < processes.count and not empty:
        raise RunError(f"{processes.count} processes need as many lanes of text, and there are {lanes}: start fewer")
    rank, count = processes.rank, processes.count
    return range(lanes * rank // count, lanes * (rank + 1) // count)


def create_text_run(
    job: TextJob, folder: Path, sources: Sources | None = None, command: Sequence[str] | None = None
) -> RunFolder:
    """Make the run folder of a training that begins; process 0 makes it for all.

    Args:
        job: the model and the text.
        folder: a path where nothing exists.
        sources: the files of the text, without which the run cannot be resumed.
        command: the command line, word by word. Default: there is none.

    Raises:
        RunError: the folder exists or cannot be made, or the processes have different texts or settings.
    """
    vocabulary = to_content(job.corpus.vocabulary)
    config = {"task": TASK, **config_of(job.settings, sources), "vocabulary": vocabulary}
    if not job.processes.same(json.dumps(config).encode()):
        raise RunError("the processes have different texts or settings: all must read the same files")
    if not job.processes.is_first:
        return RunFolder(folder, config)
    return create_run(folder, {**config, "made": provenance(command, torch.get_num_threads(), job.processes.count)})


def train_text(
    job: TextJob,
    run: RunFolder,
    callbacks: Sequence[Callback] = (),
    *,
    resumes: bool = False,
    reports: bool = True,
    warn: Callable[[str], None] = _logger.warning,
) -> TrainingOutcome:
    """Train a language model into a run folder, as ``fit`` does, and write its report.

    Args:
        job: the model and the text.
        run: the folder, of :func:`create_text_run`, or of ``open_run`` if the training goes on.
        callbacks: they follow each update and each evaluation.
        resumes: whether to go on from the folder's checkpoint.
        reports: whether to write report.html in the end.
        warn: gets a line if a checkpoint, metrics or the report cannot be written. Default: the log.

    Raises:
        RunError: the loss is no longer a number; the checkpoint cannot be read; or the model cannot be written.
    """
    settings = job.settings.training
    outcome = fit(job, settings, run, callbacks, processes=job.processes, resumes=resumes, warn=warn)
    if reports and job.processes.is_first:
        end_with_report(run, warn)
    return outcome


def settings_of_run(run: RunFolder) -> tuple[TextSettings, Sources]:
    """The settings of a run that is to go on, and the files that it reads.

    Raises:
        RunError: the run is of a newer recurra, or its configuration is damaged.
    """
    refuse_newer(run)
    try:
        return read_config(run.config)
    except RunError as error:
        raise RunError(f"{run.folder / CONFIG} is damaged: {error}") from None


def open_text(run: RunFolder, processes: Processes | None = None) -> TextJob:
    """Make the job of a run once more, to go on with ``train_text(…, resumes=True)``.

    Raises:
        RunError: the run is of a newer recurra, its configuration is damaged, or its files are missing or have changed.
    """
    settings, sources = settings_of_run(run)
    sources.check()
    valid = None if sources.valid is None else sources.valid.path
    corpus = read_corpus([source.path for source in sources.files], valid, settings, vocabulary_of_run(run))
    return TextJob(corpus, settings, processes, begins=not run.has_begun())
