"""`recurra demo`: a training, a sample, the shape of every variable, and a race with torch.nn, in about a minute."""

from __future__ import annotations

import time

import torch

from recurra.cli.console import Reporter
from recurra.look import explain
from recurra.nn.parts import describe
from recurra.runtime import Model, sample
from recurra.tasks.text.demo import SETTINGS, Race, demo_job, faster_threads, race, thread_counts, threads
from recurra.tasks.text.job import TextJob
from recurra.tasks.training.loop import fit

PROMPT = "def "


def demo() -> None:
    """Run all parts of the demo and print their results."""
    begin = time.monotonic()
    job = demo_job()
    count = faster_threads(job)
    with threads(count):
        _train(job, count)
    print(f"\nA sample, after {PROMPT!r}, at temperature 0.7:\n\n{PROMPT}", end="", flush=True)
    model = Model(describe(job.model, {"vocabulary": job.corpus.vocabulary}))
    for piece in sample(model, PROMPT, length=500, temperature=0.7, seed=1):
        print(piece.replace("\t", "    "), end="", flush=True)
    inputs, targets = next(job.train.windows(SETTINGS.seq_len))
    print("\n\nThe shapes of every variable in the layer:\n")
    with torch.no_grad():
        print(explain(job.model.recurrent, job.model.embedding(inputs)))
    races: dict[int, Race] = {}
    for count in thread_counts():
        with threads(count):
            races[count] = race(job.model, inputs, targets)
    _print_races(races)
    print(f"\n{time.monotonic() - begin:.0f} s in all. To train on a text of yours: recurra text train FILE --out RUN")


def _train(job: TextJob, count: int) -> None:
    model = SETTINGS.model
    length = job.corpus.train.characters
    print(f"A model of characters learns from {length:,} characters of Python's own standard library:")
    how_long = f"for {SETTINGS.training.seconds:.0f} s on {_threads(count)}"
    print(f"{model.cell}, {model.hidden} units, through recurra's layer, {how_long}.\n")
    with Reporter() as reporter:
        fit(job, SETTINGS.training, callbacks=[reporter])


def _print_races(races: dict[int, Race]) -> None:
    rounds = min(each.rounds for each in races.values())
    difference = max(each.difference for each in races.values())
    print("\nFrom the same weights, recurra and torch.nn compute the same loss, logits and gradients: the largest")
    print(f"difference is {difference:.0e} of the largest value. One training step of this model, median of at least")
    print(f"{rounds} alternating rounds, in milliseconds:\n")
    print(f"{'':12}{'recurra':>10}{'torch.nn':>10}")
    for count, each in races.items():
        print(f"{_threads(count):12}{each.ours:10.2f}{each.theirs:10.2f}")
    ours = min(each.ours for each in races.values())
    theirs = min(each.theirs for each in races.values())
    print(f"\nEach at its best, recurra takes {ours / theirs:.2f} times as long as torch.nn.")


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"
