"""The page of the demo: what its parts printed, with curves and the forecast drawn; and the place where it is kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import RunError
from recurra.page.document import Document, PagePart
from recurra.page.parts import CodeBlock, DataTable, Section, Text
from recurra.tasks.demo.forecast import DemoForecast
from recurra.tasks.demo.own_cell import cell_source
from recurra.tasks.demo.races import Race
from recurra.tasks.report.curves import loss_chart
from recurra.tasks.report.fans import fan_parts
from recurra.tasks.training.metrics import MetricsRow

TITLE = "recurra demo"
NAME = "recurra-demo"
_MARK = f"<title>{TITLE}</title>".encode()
_HEAD = 4096  # bytes, among which the title is


@dataclass(frozen=True)
class DemoResults:
    """What the demo shows.

    Attributes:
        rows: the evaluations of the language model.
        written: what it wrote.
        shapes: the parts that explain its layer.
        forecast: the forecast.
        races: by the number of threads, the races.
    """

    rows: Sequence[MetricsRow]
    written: str
    shapes: Sequence[PagePart]
    forecast: DemoForecast
    races: dict[int, list[Race]]


def demo_page(results: DemoResults) -> Document:
    """The page of the demo."""
    race_table = race_rows(results.races)
    learned: list[PagePart] = [loss_chart(results.rows, "cross-entropy, nats per character")] if results.rows else []
    learned += [Text(["What it writes after `def `, at temperature 0.7:"]), CodeBlock(results.written)]
    raced: list[PagePart] = [Text([race_sentence(results.races)]), DataTable("", race_table[0], race_table[1:])]
    raced += [Text(["The own cell, as recurra takes it:"]), CodeBlock(cell_source())]
    report = results.forecast.report
    sections = [
        Section("A language model of Python's own source", learned),
        Section("Shapes", results.shapes),
        Section("A forecast with its interval", [Text(report.sentences), *fan_parts(results.forecast.drawn)]),
        Section("The same numbers as torch, and the times", raced),
    ]
    return Document(TITLE, sections)


def race_rows(races: dict[int, list[Race]]) -> list[tuple[str, ...]]:
    """A table of the races in milliseconds: a head, and a row for each race.

    Args:
        races: by the number of threads, the same races.
    """
    head = ["one step of training, ms"]
    for count in races:
        head += [f"recurra, {thread_words(count)}", f"torch, {thread_words(count)}"]
    rows: list[tuple[str, ...]] = [(*head, "at its best, recurra / torch")]
    for same in zip(*races.values(), strict=True):
        times = [f"{time:.2f}" for each in same for time in (each.ours, each.theirs)]
        ratio = min(each.ours for each in same) / min(each.theirs for each in same)
        rows.append((same[0].name, *times, f"{ratio:.2f}"))
    return rows


def race_sentence(races: dict[int, list[Race]]) -> str:
    """What is raced, and how equal the results are."""
    every = [each for same in races.values() for each in same]
    difference, rounds = max(each.difference for each in every), min(each.rounds for each in every)
    return (
        f"From the same weights, recurra and torch compute the same outputs and gradients: the largest difference is "
        f"{difference:.0e} of the largest value. Times are medians of at least {rounds} alternating rounds."
    )


def thread_words(count: int) -> str:
    """A number of threads in words."""
    return f"{count} thread{'s' if count > 1 else ''}"


def page_path(html: Path | None) -> Path:
    """The path of the demo's page; only the page of an earlier demo is ever replaced.

    Args:
        html: the path that is asked for. Default None: recurra-demo.html in the current folder, or with a number where
            something else has that name.

    Raises:
        RunError: something else is at the path, or nothing can be written there.
    """
    path = _free_path() if html is None else html
    if os.path.lexists(path) and not _is_own(path):
        raise RunError(f"{path} exists already, and is no page of a demo: name another with --html")
    if not os.access(path.absolute().parent, os.W_OK):
        raise RunError(f"{path} cannot be written: name another path with --html")
    return path


def _free_path() -> Path:
    number = 1
    while True:
        path = Path(f"{NAME}.html" if number == 1 else f"{NAME}-{number}.html")
        if not os.path.lexists(path) or _is_own(path):
            return path
        number += 1


def _is_own(path: Path) -> bool:
    """Whether a file is the page of an earlier demo."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False
