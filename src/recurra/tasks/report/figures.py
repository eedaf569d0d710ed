"""The figures of a run: sentences of the best evaluation and of the training's end, and a table."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable

from recurra.page.parts import DataTable
from recurra.series.metrics import shown
from recurra.tasks.report.facts import duration
from recurra.tasks.report.record import RunRecord, number

# Other names of the figures of metrics.jsonl.
WORDS = {
    "step": "update",
    "train_loss": "training loss",
    "valid_loss": "validation loss",
    "bits_per_char": "bits per character",
    "lr": "learning rate",
}


def _form(name: str) -> Callable[[float], str]:
    """The function that writes a figure of metrics.jsonl."""
    return "{:,.0f}".format if name in ("step", "epoch") or name.endswith("_per_second") else shown


def best_sentence(record: RunRecord) -> str:
    """What the best evaluation says."""
    best = record.best
    if best is None:
        return "The training ended before its first evaluation: nothing is known of the model."
    found = [f"validation loss {shown(number(best['valid_loss'], math.nan))}"]
    if best.get("perplexity") is not None:
        found.insert(0, f"perplexity {number(best['perplexity']):.2f}")
    if best.get("bits_per_char") is not None:
        found.insert(1, f"{number(best['bits_per_char']):.3f} bits per character")
    figures = ", ".join(found)
    return f"Best at update {number(best['step']):,.0f}, after {duration(number(best['seconds']))}: {figures}."


def end_sentence(record: RunRecord) -> str:
    """Whether the training is finished, or how it goes on."""
    progress = record.progress
    if progress is None:
        return "Its checkpoint is not there: the training cannot go on."
    if progress.is_finished:
        return f"The training is finished after {progress.step:,} updates."
    command = shlex.join(["recurra", record.task, "train", "--resume", str(record.run.folder)])
    return f"The training was stopped after {progress.step:,} updates; to go on: {command}"


def size_sentence(record: RunRecord) -> str:
    """The cell of the networks, their units and the number of weights."""
    settings = record.settings
    section = "model." if record.task == "text" else ""
    cell, hidden, layers = (settings.get(section + name) for name in ("cell", "hidden", "layers"))
    levels = f", {layers} layer{'' if layers == 1 else 's'}" if layers is not None else ""
    return f"Its cell is {cell}{levels}, {hidden} units each, {record.weights:,} weights in all."


def figures_table(record: RunRecord) -> DataTable | None:
    """The figures of the best evaluation and of the last; None before the first."""
    best = record.best
    if best is None:
        return None
    last = record.rows[-1]
    forms = [_form(name) for name in best]
    names = [WORDS.get(name, name.replace("_", " ")) for name in best]
    both = zip(names, best.values(), (last.get(name) for name in best), strict=True)
    rows = [
        (name, *(form(number(value, math.nan)) for value in values))
        for (name, *values), form in zip(both, forms, strict=True)
    ]
    return DataTable("The best evaluation, whose weights are kept, and the last one", ("", "best", "last"), rows)
