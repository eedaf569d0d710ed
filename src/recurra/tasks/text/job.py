"""The text job: training from files to a run folder, and loading a trained model to measure or sample."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from recurra.conversion.reading import read
from recurra.errors import FileFormatError, RunError
from recurra.model import Description
from recurra.model.description import check_fit
from recurra.model.file import CONFIG, MODEL
from recurra.nn import Stack
from recurra.nn.parts import build as build_module
from recurra.tasks.run import RunFolder, create_run, open_run, refuse_newer
from recurra.tasks.text.batching import PADDING, Lanes, lanes_that_fit
from recurra.tasks.text.configuration import Sources, config_of, read_config
from recurra.tasks.text.corpus import read_text, read_texts, split_text
from recurra.tasks.text.language_model import (
    StackState,
    bits_per_char,
    build,
    detached,
    nats,
    perplexity,
    total_nats,
)
from recurra.tasks.text.settings import TextSettings, model_settings
from recurra.tasks.training.events import Callback, Outcome
from recurra.tasks.training.loop import fit
from recurra.tasks.training.processes import OneProcess, Processes
from recurra.vocabulary import Vocabulary

TASK = "text"
# Long windows are cheapest where no gradients are computed; the result does not depend on the length.
MEASURING_STEPS = 256
MOST_LOGITS = 2**24  # numbers: 64 MiB

_logger = logging.getLogger("recurra")


@dataclass(frozen=True)
class Corpus:
    """The texts of a training: one to train on, one to validate on, and the vocabulary of the first."""

    train: str
    valid: str
    vocabulary: Vocabulary

    @property
    def unknown(self) -> Counter[str]:
        """The validation text's tokens that are not in the vocabulary, and are read as ``<unk>``."""
        return self.vocabulary.unknown(self.valid)


@dataclass(frozen=True)
class Score:
    """The cross-entropy of a text under a model's predictions.

    `nats` is the sum over all `tokens` tokens, which have `characters` characters; the tokens in `unknown` were read as
    ``<unk>``.
    """

    nats: float
    tokens: int
    characters: int
    unknown: Counter[str]

    @property
    def perplexity(self) -> float:
        """exp of the mean cross-entropy per token in nats."""
        return perplexity(self.nats / self.tokens)

    @property
    def bits_per_char(self) -> float:
        """The cross-entropy in bits per character; white space counts, in a text of words too."""
        return bits_per_char(self.nats, self.characters)


class TextJob:
    """A language model and its text, in the form of the training loop's ``Job``.

    Args:
        corpus: the texts.
        settings: the settings of model and training; the weights are drawn from torch's generator, which is seeded.
        processes: the processes that train together, each on its share of the lanes. Default: this one alone.

    Raises:
        RunError: the text is shorter than one window or has fewer lanes than there are processes, or the model does not
            fit in memory.
    """

    item = "token"

    def __init__(self, corpus: Corpus, settings: TextSettings, processes: Processes | None = None) -> None:
        settings.check()
        self.corpus, self.settings = corpus, settings
        vocabulary, self.steps = corpus.vocabulary, settings.seq_len
        ids = vocabulary.encode(corpus.train)
        if len(ids) < settings.seq_len:
            what = "characters" if vocabulary.level == "char" else "words"
            window = f"one window of --seq-len {settings.seq_len}"
            raise RunError(f"the text is too short: {len(ids)} {what} to train on are less than {window}")
        valid = vocabulary.encode(corpus.valid)
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
        self.windows_per_evaluation = whole.count(self.steps)
        self.valid = whole.choose(share_of(lanes, processes, empty=True))
        torch.manual_seed(settings.seed)
        self.model = build(len(vocabulary), settings.model).to(processes.device)
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
        precision = self.settings.training.precision
        with torch.autocast(self.processes.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits, state = self.model(inputs, self._state)
        if self.settings.carry:
            self._state = detached(state)
        return nats(logits.float() if logits.dtype == torch.bfloat16 else logits, targets, "sum"), targets.numel()

    def state_tensors(self) -> list[Tensor]:
        """The state that the next window starts from, each tensor ``(layers, lanes, hidden)``."""
        if self._state is None:
            return []
        return list(self._state) if isinstance(self._state, tuple) else [self._state]

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
        own = [(each.shape, each.dtype) for each in (state if isinstance(state, tuple) else (state,))]
        if [(tensor.shape, tensor.dtype) for tensor in tensors] != own:
            raise RunError("its state is not that of this model and batch")
        mine = tuple(tensor[:, list(self.share)].to(device) for tensor in tensors)
        self._state = mine if isinstance(state, tuple) else mine[0]

    @torch.no_grad()
    def evaluate(self, stop: Callable[[], bool]) -> tuple[float, int] | None:
        """The cross-entropy of this process's share of the validation text in nats, and the number of its tokens."""
        total, tokens, state = 0.0, 0, None
        if not self.valid.chosen:
            return total, tokens
        steps = measuring_steps(len(self.corpus.vocabulary), len(self.valid.chosen))
        self.model.eval()
        try:
            for inputs, targets in self.valid.windows(steps):
                logits, state = self.model(inputs.to(self.processes.device), state)
                total += float(nats(logits, targets.to(self.processes.device), "sum"))
                tokens += int((targets != PADDING).sum())
                if stop():
                    return None
        finally:
            self.model.train()
        return total, tokens

    def figures(self, loss: float) -> dict[str, float]:
        """Perplexity and bits per character of a mean cross-entropy of the validation text."""
        bits = bits_per_char(loss * self.valid_tokens, len(self.corpus.valid))
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


def measuring_steps(vocabulary: int, lanes: int) -> int:
    """The length of windows where no gradients are computed: long ones are cheapest, but their logits take memory."""
    return max(1, min(MEASURING_STEPS, MOST_LOGITS // (vocabulary * lanes)))


def read_corpus(files: Sequence[Path], valid: Path | None, settings: TextSettings) -> Corpus:
    """Read the texts; without a file to validate on, the last tenth of the text is used.

    Raises:
        RunError: a file is refused, or a setting is out of range.
    """
    settings.check()
    text = read_texts(files)
    return make_corpus(*(split_text(text) if valid is None else (text, read_text(valid))), settings)


def make_corpus(train: str, valid: str, settings: TextSettings) -> Corpus:
    """Make a corpus, with the vocabulary of the training text alone."""
    return Corpus(train, valid, Vocabulary.of(train, settings.level, settings.least_count))


def train_text(
    job: TextJob,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    *,
    sources: Sources | None = None,
    warn: Callable[[str], None] = _logger.warning,
) -> Outcome:
    """Train a language model into a new folder.

    The folder then holds the best model so far, a line of metrics per evaluation, and a checkpoint; see ``fit``.

    Args:
        job: the model and the text.
        folder: a path where nothing exists.
        callbacks: they follow each update and each evaluation.
        sources: the files of the text, without which `open_text` cannot go on.
        warn: gets a line if a checkpoint or metrics cannot be written. Default: the log.

    Raises:
        RunError: the folder exists or cannot be written to, or the loss is no longer a number.
    """
    config = _config(job, sources)
    if not job.processes.same(json.dumps(config).encode()):
        raise RunError("the processes have different texts or settings: all must read the same files")
    run = create_run(folder, config) if job.processes.is_first else RunFolder(folder, config)
    return fit(job, job.settings.training, run, callbacks, processes=job.processes, warn=warn)


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
    """Make the job of a run once more, to go on with ``fit(…, resumes=True)``.

    Raises:
        RunError: the run is of a newer recurra, its configuration is damaged, or its files are missing or have changed.
    """
    settings, sources = settings_of_run(run)
    try:
        vocabulary = _read_vocabulary(run.config.get("vocabulary"))
    except RunError as error:
        raise RunError(f"{run.folder / CONFIG} is damaged: {error}") from None
    sources.check()
    valid = None if sources.valid is None else sources.valid.path
    corpus = read_corpus([source.path for source in sources.files], valid, settings)
    if corpus.vocabulary.tokens != vocabulary.tokens:
        raise RunError(f"{run.folder / CONFIG} is damaged: its vocabulary is not that of its files")
    return TextJob(corpus, settings, processes)


def load_text(path: Path) -> tuple[Stack, Vocabulary]:
    """Load a trained model, in evaluation mode, and its vocabulary, from a run folder or an exported file.

    Raises:
        RunError: the folder is missing or no run of this task; its files are damaged or do not fit each other; or the
            file cannot be read, or holds no language model.
    """
    if not path.is_file():
        return _language_model(path, _of_run(open_run(path, TASK)))
    try:
        return _language_model(path, read(path))
    except FileFormatError as error:
        raise RunError(f"not a run folder, and no exported file either: {error}") from None


def _language_model(path: Path, description: Description) -> tuple[Stack, Vocabulary]:
    """Build the module and the vocabulary of a language model from its description.

    Raises:
        RunError: the model is no language model, or has a weight that is not finite.
        FileFormatError: a part has a name that torch's modules use themselves.
    """
    module, vocabulary = build_module(description), description.vocabulary
    settings = [
        part.settings.get(name) for _, part in description.root.walk() for name in ("batch_first", "bidirectional")
    ]
    if vocabulary is None or not isinstance(module, Stack) or True in settings:
        raise RunError(f"{path} holds no language model of 'recurra text train'")
    for name, weight in module.named_parameters():
        if not torch.isfinite(weight).all():
            raise RunError(f"{path} is damaged: weight {name} holds values that are not finite")
    return module.float(), vocabulary  # quantized weights stand for float32 numbers


def _of_run(run: RunFolder) -> Description:
    """Read the model of a run folder, and check that it fits the folder's configuration.

    Raises:
        RunError: a file is missing or damaged, or the files do not fit each other.
    """
    try:
        settings = model_settings(run.config.get("model"))
        vocabulary = _read_vocabulary(run.config.get("vocabulary"))
    except RunError as error:
        raise RunError(f"{run.folder / CONFIG} is damaged: {error}") from None
    own = build(len(vocabulary), settings, "meta").state_dict()
    description = run.read_model()
    try:
        check_fit(description.weights, {name: tuple(tensor.shape) for name, tensor in own.items()})
    except FileFormatError as error:
        raise RunError(f"{run.folder / MODEL} does not fit {CONFIG}: {error}") from None
    if description.vocabulary is None or description.vocabulary.tokens != vocabulary.tokens:
        raise RunError(f"{run.folder / MODEL} does not fit {CONFIG}: its vocabulary is another one")
    return description


def evaluate_text(model: Stack, vocabulary: Vocabulary, text: str, lanes: int = 1) -> Score:
    """Measure how well a model predicts each token of a text, given all tokens before it.

    Args:
        model: the model.
        vocabulary: the model's tokens.
        text: the text to predict.
        lanes: the number of parts that are read side by side. More are faster, and predict a little worse: each part
            begins without memory of the part before.
    """
    ids = vocabulary.encode(text)
    parts = Lanes(ids, min(lanes, len(ids)), vocabulary.start, complete=True)
    total = total_nats(model, parts, MEASURING_STEPS)
    return Score(total, len(ids), len(text), vocabulary.unknown(text))


def _config(job: TextJob, sources: Sources | None) -> dict[str, object]:
    vocabulary = {"level": job.settings.level, "tokens": list(job.corpus.vocabulary.tokens)}
    return {"task": TASK, **config_of(job.settings, sources), "vocabulary": vocabulary}


def _read_vocabulary(value: object) -> Vocabulary:
    if not isinstance(value, dict) or value.get("level") not in ("char", "word"):
        raise RunError("'vocabulary' must hold its level and tokens")
    tokens = value.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise RunError("the tokens of 'vocabulary' must be a list of texts")
    return Vocabulary(value["level"], tokens)
