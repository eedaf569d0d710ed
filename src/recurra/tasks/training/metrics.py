"""The rows of metrics.jsonl, and the same figures in TensorBoard."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import RunError
from recurra.program.serial import strict_json
from recurra.tasks.training.events import Evaluation, Step, TrainingOutcome

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

STEPS_BETWEEN_POINTS = 10  # of TensorBoard's curves


MetricsRow = Mapping[str, float | None]


def metrics_row(numbers: Mapping[str, float]) -> MetricsRow:
    """A row of metrics.jsonl; infinity and NaN, which JSON does not have, become None."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def text_of(rows: Sequence[MetricsRow]) -> bytes:
    """The content of metrics.jsonl."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()


def rows_of(content: bytes) -> list[MetricsRow]:
    """Read what :func:`text_of` made.

    Raises:
        RunError: a line is no row.
    """
    try:
        rows = [strict_json(line) for line in content.decode().splitlines()]
    except (ValueError, RecursionError) as error:
        raise RunError(f"the rows of metrics cannot be read: {error}") from None
    for row in rows:
        if not isinstance(row, dict) or not all(value is None or type(value) in (int, float) for value in row.values()):
            raise RunError("the rows of metrics are not numbers by name")
    return rows


class TensorBoard:
    """A ``Callback`` that writes the losses, the learning rate, the speed and all figures for TensorBoard.

    Args:
        folder: the folder of the event files, which is made at the first event.

    Raises:
        RunError: the package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise RunError("--tensorboard needs the package tensorboard: pip install tensorboard") from None
        self._folder, self._make = folder, SummaryWriter

    @cached_property
    def _writer(self) -> SummaryWriter:
        return self._make(str(self._folder))

    def on_step(self, step: Step) -> None:
        """Write a point of the curves of each update, at every tenth."""
        if step.step % STEPS_BETWEEN_POINTS == 0:
            values = {"step/loss": step.loss, "step/lr": step.rate, "step/items_per_second": step.items_per_second}
            self._add(values, step.step)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Write a point of each figure of metrics.jsonl."""
        figures = {name: value for name, value in evaluation.row.items() if value is not None}
        self._add({f"evaluation/{name}": figures[name] for name in figures if name != "step"}, evaluation.step)
        self._writer.flush()

    def on_end(self, outcome: TrainingOutcome) -> None:
        """Close the files."""
        self._writer.close()

    def _add(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
