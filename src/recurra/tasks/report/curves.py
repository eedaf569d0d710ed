"""The curves of trainings: losses and learning rates by update, of one run or of several."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recurra.page.line_chart import Line, LineChart
from recurra.tasks.report.record import RunRecord, number
from recurra.tasks.training.metrics import MetricsRow

# What a loss is, by task.
LOSSES = {"text": "cross-entropy, nats per token", "series": "loss"}


def loss_chart(rows: Sequence[MetricsRow], unit: str) -> LineChart:
    """The losses on what a model learned from, and on validation data.

    Args:
        rows: the rows of metrics.jsonl, at least one.
        unit: what the loss is.
    """
    lines = [_line("training", rows, "train_loss"), _line("validation", rows, "valid_loss")]
    return LineChart("Loss", lines, "update", unit)


def rate_chart(rows: Sequence[MetricsRow]) -> LineChart:
    """The learning rate at each evaluation; `rows` as for :func:`loss_chart`."""
    return LineChart("Learning rate", [_line("rate", rows, "lr")], "update", "rate")


def overlaid(records: Sequence[RunRecord], names: Sequence[str]) -> list[LineChart]:
    """The validation losses of several runs of one task: by update, and by seconds.

    Args:
        records: the runs; those without an evaluation have no line.
        names: a name for each.
    """
    pairs = [(record, name) for record, name in zip(records, names, strict=True) if record.rows]
    if not pairs:
        return []
    unit = loss_of(pairs[0][0])
    return [
        LineChart(
            f"Validation loss by {label}",
            [_line(name, record.rows, "valid_loss", by) for record, name in pairs],
            label,
            unit,
        )
        for label, by in (("update", "step"), ("second", "seconds"))
    ]


def loss_of(record: RunRecord) -> str:
    """What the loss of a run is."""
    if record.task == "series":
        return (
            "negative log-likelihood per value" if record.config.get("model") == "autoregressive" else "quantile loss"
        )
    return LOSSES[record.task]


def _line(name: str, rows: Sequence[MetricsRow], key: str, by: str = "step") -> Line:
    return Line(name, [number(row[by]) for row in rows], [number(row[key], math.nan) for row in rows])
