"""`recurra text train`: train a language model into a run folder, or go on with a run."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra import cells
from recurra.cli.console import Follower, JsonReporter, Reporter, error_line, note
from recurra.cli.processes import joined, resume_command
from recurra.cli.text.options import refuse_contradictions, settings_of
from recurra.cli.text.shared import Encoding, listed
from recurra.errors import RunError
from recurra.tasks.text.settings import DEFAULT_VOCABULARY, LEVELS, ModelSettings, TextSettings
from recurra.tasks.training.launch import is_first
from recurra.tasks.training.settings import (
    DEFAULT_MINUTES,
    DEFAULT_RATE,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    TrainingSettings,
)

if TYPE_CHECKING:
    from recurra.tasks.text.configuration import Sources
    from recurra.tasks.text.job import TextJob
    from recurra.tasks.training.events import Callback, TrainingOutcome

LIMIT = f"{DEFAULT_MINUTES:g}, without --epochs"
RATES = ", ".join(f"{rate:g} for {name}" for name, rate in DEFAULT_RATE.items())
_Model, _Text, _Loop = ModelSettings, TextSettings, TrainingSettings

Files = Annotated[list[Path] | None, typer.Argument(metavar="FILE...", help="Text; several are read as one.")]
Folder = Annotated[Path | None, typer.Option(metavar="RUN", help="Folder to make; it must not exist.")]
Resumed = Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with this run, with its own settings.")]
Valid = Annotated[Path | None, typer.Option(metavar="FILE", help="To validate on; else the last tenth.")]


def train(
    context: typer.Context,
    files: Files = None,
    out: Folder = None,
    resume: Resumed = None,
    valid: Valid = None,
    level: Annotated[str, typer.Option(help=f"Tokens: {', '.join(LEVELS)}.")] = _Text.level,
    min_count: Annotated[int | None, typer.Option(help="Rarer tokens are <unk>; by default 1, words 2.")] = None,
    vocabulary_size: Annotated[
        int | None, typer.Option(help=f"Largest number of tokens; by default any, bpe {DEFAULT_VOCABULARY}.")
    ] = None,
    encoding: Encoding = _Text.encoding,
    cell: Annotated[str, typer.Option(help=f"One of {', '.join(cells.all())}.")] = _Model.cell,
    hidden: Annotated[int, typer.Option(help="Units per layer.")] = _Model.hidden,
    layers: Annotated[int, typer.Option(help="Recurrent layers.")] = _Model.layers,
    embedding: Annotated[int | None, typer.Option(help="Width; by default --hidden, or less for few tokens.")] = None,
    tied: Annotated[bool, typer.Option(help="The output's weights are the embedding's.")] = _Model.tied,
    dropout: Annotated[
        float | None,
        typer.Option(help="Between layers and before the output; by default the more, the more passes there will be."),
    ] = None,
    variational: Annotated[
        bool, typer.Option("--variational", help="Drop the same at all steps of a window.")
    ] = _Model.variational,
    input_dropout: Annotated[
        float | None, typer.Option(help="Of the embedding's output; by default none, with --variational --dropout.")
    ] = None,
    embedding_dropout: Annotated[float, typer.Option(help="Of a token, for a window.")] = _Model.embedding_dropout,
    weight_drop: Annotated[
        float | None, typer.Option(help="Of a weight between states; by default half of --dropout's default.")
    ] = None,
    cutoffs: Annotated[
        str | None, typer.Option(metavar="N,N…", help="Ranks of words where an adaptive softmax begins clusters.")
    ] = None,
    sampled: Annotated[
        int | None,
        typer.Option(help="Tokens over which training estimates the softmax, 0: all; by default 4000 of many."),
    ] = _Model.sampled,
    seq_len: Annotated[int, typer.Option(help="Tokens that gradients flow back over.")] = _Text.seq_len,
    batch_size: Annotated[int, typer.Option(help="Parts of the text read side by side.")] = _Text.batch_size,
    carry: Annotated[bool, typer.Option(help="Carry the state on; else windows in random order.")] = _Text.carry,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = _Loop.optimizer,
    lr: Annotated[float | None, typer.Option(help=f"Learning rate at the start; by default {RATES}.")] = None,
    weight_decay: Annotated[float, typer.Option(help="Decay of the weights.")] = _Loop.weight_decay,
    schedule: Annotated[str, typer.Option(help=f"Of the rate: {', '.join(SCHEDULES)}.")] = _Loop.schedule,
    warmup: Annotated[int, typer.Option(help="Steps over which the rate rises from zero.")] = _Loop.warmup,
    clip: Annotated[float, typer.Option(help="Largest norm of the gradients; inf: any.")] = _Loop.clip,
    clip_value: Annotated[float, typer.Option(help="Largest element of the gradients; inf: any.")] = _Loop.clip_value,
    accumulate: Annotated[int, typer.Option(help="Windows for one step of the optimizer.")] = _Loop.accumulate,
    precision: Annotated[str, typer.Option(help=f"One of {', '.join(PRECISIONS)}.")] = _Loop.precision,
    epochs: Annotated[int | None, typer.Option(help="Stop after so many passes.")] = None,
    minutes: Annotated[float | None, typer.Option(help=f"Stop after so long; by default {LIMIT}.")] = None,
    eval_every: Annotated[int | None, typer.Option(help="Steps between validations; by default 200 or more.")] = None,
    patience: Annotated[int, typer.Option(help="Stop after so many without gain; 0: never.")] = _Loop.patience,
    checkpoint_minutes: Annotated[float, typer.Option(help="Time between checkpoints.")] = _Loop.checkpoint_minutes,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = _Text.seed,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write RUN/tensorboard too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Train a language model. Ctrl-C stops it and keeps the best model so far; --resume RUN goes on exactly there."""
    reporter: Follower = JsonReporter() if json else Reporter()
    outcome: TrainingOutcome | None
    given = {name: value for name, value in context.params.items() if _is_given(context, name)}
    if resume is None:
        _refuse_options_of_tokens(files or [], given)
        outcome, folder = _begin({**context.params, "command": context.obj}, reporter), out
    else:
        outcome, folder = _go_on(resume, given, reporter), resume
    if outcome is not None and folder is not None and is_first() and not json:
        _tell(outcome, folder)
    if outcome is not None and outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether a parameter stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _refuse_options_of_tokens(files: list[Path], given: Mapping[str, Any]) -> None:
    """Refuse options that say how to make tokens beside a file that has them."""
    from recurra.tasks.text.token_file import is_token_file

    options = [
        name for name in ("level", "min_count", "vocabulary_size", "valid", "encoding") if given.get(name) is not None
    ]
    tokens = next((path for path in files if is_token_file(path)), None)
    if tokens is not None and options:
        listed_options = ", ".join(f"--{name.replace('_', '-')}" for name in options)
        raise RunError(f"{tokens} is a token file, which has its own vocabulary and texts: leave out {listed_options}")


def _begin(options: Mapping[str, Any], reporter: Follower) -> TrainingOutcome:
    """Train into a new folder."""
    files, out, valid = options["files"], options["out"], options["valid"]
    if not files:
        raise RunError("Missing argument 'FILE...': a text to train on, or --resume RUN")
    if out is None:
        raise RunError("Missing option '--out': the folder to make")
    settings = settings_of(options)
    settings.check()  # first, as importing torch takes seconds
    from recurra.tasks.run import refuse_existing
    from recurra.tasks.text.configuration import sources_of
    from recurra.tasks.text.corpus import read_corpus
    from recurra.tasks.text.job import TextJob, create_text_run, train_text

    with joined(out) as processes:
        if processes.is_first:
            refuse_existing(out)
        settings = replace(settings, batch_size=settings.batch_size * processes.count)
        followers = _followers(out, reporter, options["tensorboard"])
        corpus = read_corpus(files, valid, settings)
        sources = sources_of(files, valid)
        job = TextJob(corpus, settings, processes)
        run = create_text_run(job, out, sources, options["command"])
        with _reporting(job, reporter):
            return train_text(job, run, followers, warn=note)


def _go_on(folder: Path, given: Mapping[str, Any], reporter: Follower) -> TrainingOutcome | None:
    """Go on with a run; None if it is finished already."""
    if "out" in given:
        raise RunError("--resume goes on in the run's own folder: leave out --out")
    from recurra.tasks.report.writing import end_with_report
    from recurra.tasks.run import open_run
    from recurra.tasks.text.job import open_text, settings_of_run, train_text
    from recurra.tasks.text.loading import TASK
    from recurra.tasks.training.loop import finished_outcome

    with joined(folder) as processes:
        run = open_run(folder, TASK)
        settings, sources = settings_of_run(run)
        if "batch_size" in given:
            given = {**given, "batch_size": given["batch_size"] * processes.count}
        refuse_contradictions(given, settings)
        _refuse_other_files(given, sources)
        finished = finished_outcome(run)
        if finished is not None:
            if processes.is_first:
                reporter.on_end(finished)
                end_with_report(run, note)
                note(f"the run {folder} is finished: nothing is left to train")
            return None
        job = open_text(run, processes)
        with _reporting(job, reporter):
            followers = _followers(folder, reporter, bool(given.get("tensorboard")))
            return train_text(job, run, followers, resumes=True, warn=note)


def _refuse_other_files(given: Mapping[str, Any], sources: Sources) -> None:
    """Refuse files on the command line that are not those of a run that goes on."""
    files = [path.absolute() for path in given.get("files") or ()]
    if files and files != [source.path for source in sources.files]:
        raise RunError("the files contradict the run, which goes on with its own: leave them out")
    valid = given.get("valid")
    if valid is not None and (sources.valid is None or valid.absolute() != sources.valid.path):
        raise RunError("--valid contradicts the run, which goes on with its own file: leave it out")


def _followers(folder: Path, reporter: Follower, tensorboard: bool) -> list[Callback]:
    """The followers of a training."""
    followers: list[Callback] = [reporter]
    if tensorboard:
        from recurra.tasks.training.metrics import TensorBoard

        followers.append(TensorBoard(folder / "tensorboard"))
    return followers


@contextlib.contextmanager
def _reporting(job: TextJob, reporter: Follower) -> Iterator[None]:
    """Print what is trained, and let the reporter follow in the block; process 0 alone does."""
    if not job.processes.is_first:
        yield
        return
    with reporter:
        _introduce(job, reporter)
        yield


def _introduce(job: TextJob, reporter: Follower) -> None:
    from torch import get_num_threads

    corpus, settings = job.corpus, job.settings
    weights = sum(weight.numel() for weight in job.model.parameters())
    layers = f"{settings.model.layers} layer{'s' if settings.model.layers > 1 else ''}"
    train, valid = corpus.train, corpus.valid
    lines = [
        f"{train.characters:,} characters to train on, {valid.characters:,} to validate on",
        f"{settings.model.cell}, {layers} of {settings.model.hidden} units, {weights:,} weights",
        f"dropout {settings.model.dropout:g}, weight drop {settings.model.weight_drop:g}",
        f"{settings.training.optimizer}, learning rate {settings.training.rate:g}",
        f"a vocabulary of {len(corpus.vocabulary):,} tokens, {job.windows_per_epoch:,} windows per epoch",
    ]
    sampled = settings.model.sampled or 0
    if 0 < sampled < len(corpus.vocabulary):
        lines.append(
            f"training estimates the softmax over {sampled:,} of {len(corpus.vocabulary):,} tokens (--sampled)"
        )
    count, threads = job.processes.count, get_num_threads()
    if count > 1:
        each = f"{threads} thread{'s' if threads > 1 else ''} each"
        lines.append(f"{count} processes of {each}; {job.batch_size} lanes of the text, shared out among them")
    facts = {
        "train_characters": train.characters,
        "valid_characters": valid.characters,
        "vocabulary": len(corpus.vocabulary),
        "weights": weights,
        "dropout": settings.model.dropout,
        "weight_drop": settings.model.weight_drop,
        "sampled": settings.model.sampled,
        "windows_per_epoch": job.windows_per_epoch,
        "processes": count,
        "threads": threads,
        "lanes": job.batch_size,
    }
    reporter.introduce(lines, facts)
    if job.batch_size < settings.batch_size:
        note(f"the text fills only {job.batch_size} windows: --batch-size is {job.batch_size}")
    unknown = corpus.valid.unknown
    if unknown:
        tokens = listed(unknown.kinds, unknown.total)
        note(f"{tokens} of the validation text are not in the vocabulary, and are read as <unk>")


def _tell(outcome: TrainingOutcome, folder: Path) -> None:
    """Say where the model is, and what can be done next."""
    from recurra.tasks.run import REPORT

    hint = f'recurra text sample {_quoted(folder)} --prompt "…"'
    best = outcome.best
    if outcome.signal is not None:
        kept = f"the best model so far, of step {best['step']}," if best else "the model as it was"
        error_line(
            f"interrupted after step {outcome.step}; {kept} is in {folder}: {hint}; to go on: {resume_command(folder)}"
        )
        return
    if best:
        figures = f"perplexity {best['perplexity'] or math.inf:.2f}, {best['bits_per_char']:.3f} bits per character"
        print(f"Best: step {best['step']}, {figures}")
    print(f"The model is in {folder}, and its report in {folder / REPORT}. To sample from it: {hint}")


def _quoted(folder: Path) -> str:
    return shlex.quote(str(folder))
