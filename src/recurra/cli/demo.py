"""`recurra demo`: a language model, shapes, a forecast and races beside torch, in about a minute, and as a page."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import torch
import typer

from recurra.cli.console import Reporter
from recurra.look import explain
from recurra.nn.parts import describe
from recurra.runtime import Model, sample
from recurra.tasks.demo.forecast import DemoForecast, demo_forecast
from recurra.tasks.demo.layers import gru_race, line_lengths, own_cell_race, packed_race
from recurra.tasks.demo.own_cell import cell_source
from recurra.tasks.demo.page import DemoResults, demo_page, page_path, race_rows, race_sentence, thread_words
from recurra.tasks.demo.races import Race
from recurra.tasks.report.shapes import shape_parts
from recurra.tasks.series.backtesting import aligned
from recurra.tasks.text.corpus import default_corpus
from recurra.tasks.text.demo import SETTINGS, demo_job, faster_threads, race, threads
from recurra.tasks.text.job import TextJob
from recurra.tasks.training.events import Evaluation, Step, TrainingOutcome
from recurra.tasks.training.loop import fit
from recurra.tasks.training.metrics import MetricsRow

PROMPT = "def "
FORECAST_SECONDS = 10.0


def demo(html: Path | None = None) -> None:
    """Run all parts of the demo, print their results, and write their page.

    Args:
        html: the path of the page. Default: recurra-demo.html in the current folder.

    Raises:
        RunError: the page cannot be written, or something else is in its place.
    """
    begin = time.monotonic()
    path = page_path(html)
    job = demo_job()
    count = faster_threads(job)
    with threads(count):
        rows = _train(job, count)
        written = _write(job)
    inputs, targets = next(job.train.windows(SETTINGS.seq_len))
    with torch.no_grad():
        explained = explain(job.model.recurrent, job.model.embedding(inputs))
    print(f"\n\nThe shapes of every variable in the layer:\n\n{explained}")
    forecast = _forecast()
    print("\nA cell of one's own, to race beside its loop in torch:\n")
    print(cell_source())
    lengths = line_lengths(default_corpus())
    races: dict[int, list[Race]] = {}
    for each in sorted({1, count}):  # more threads on a busy machine would take minutes
        with threads(each):
            races[each] = [own_cell_race(), gru_race(), packed_race(lengths), race(job.model, inputs, targets)]
    said = textwrap.wrap(race_sentence(races), 110)
    print("\n".join([*said, "", *aligned(race_rows(races))]))
    demo_page(DemoResults(rows, written, shape_parts(explained), forecast, races)).write(path)
    print("\nTo train on a text of yours: recurra text train FILE --out RUN")
    print(f"{time.monotonic() - begin:.0f} s in all; curves, forecast and shapes are drawn in {path}")


class _KeptRows:
    """A follower of a training that keeps its evaluations."""

    def __init__(self) -> None:
        self.rows: list[MetricsRow] = []

    def on_step(self, step: Step) -> None:
        """Keep nothing."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Keep the row."""
        self.rows.append(evaluation.row)

    def on_end(self, outcome: TrainingOutcome) -> None:
        """End the demo after a signal."""
        if outcome.signal is not None:
            raise typer.Exit(128 + outcome.signal)


def _train(job: TextJob, count: int) -> list[MetricsRow]:
    model, followed = SETTINGS.model, _KeptRows()
    length = job.corpus.train.characters
    print(f"A model of characters learns from {length:,} characters of Python's own standard library:")
    how_long = f"for {SETTINGS.training.seconds:.0f} s on {thread_words(count)}"
    print(f"{model.cell}, {model.hidden} units, through recurra's layer, {how_long}.\n")
    with Reporter() as reporter:
        fit(job, SETTINGS.training, callbacks=[reporter, followed])
    return followed.rows


def _write(job: TextJob) -> str:
    """Print a sample piece by piece, and return it."""
    print(f"\nA sample, after {PROMPT!r}, at temperature 0.7:\n\n{PROMPT}", end="", flush=True)
    model = Model(describe(job.model, {"vocabulary": job.corpus.vocabulary}))
    written = PROMPT
    for piece in sample(model, PROMPT, length=500, temperature=0.7, seed=1):
        spaced = piece.replace("\t", "    ")
        written += spaced
        print(spaced, end="", flush=True)
    return written


def _forecast() -> DemoForecast:
    print(
        "\nA forecast of airline passengers, in thousands a month. The model learns from ten years, and never sees the"
    )
    print(f"last two; {FORECAST_SECONDS:.0f} s at most:\n")
    with Reporter(item="value") as reporter:
        forecast = demo_forecast(FORECAST_SECONDS, [reporter, _KeptRows()])
    print("\n".join(["", *aligned(forecast.rows()), "", forecast.report.sentences[0]]))
    return forecast
