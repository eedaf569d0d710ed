"""The writer of a training's run folder, which tells a failure once and lets the training go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from torch import nn

from recurra.errors import RunError
from recurra.tasks.run import RunFolder
from recurra.tasks.training.checkpoint import TrainingCheckpoint, write_checkpoint
from recurra.tasks.training.metrics import MetricsRow, text_of

# The end of an epoch is a checkpoint, unless checkpoints would then take more than about this share of the time.
LARGEST_SHARE = 0.05


class Keeper:
    """The writer of a run folder.

    Args:
        run: the run folder; None to write nothing.
        minutes: the time between two checkpoints.
        warn: gets the message of a failure, each message once.

    Attributes:
        problem: the failure of the last attempt to save the model; None if the model in the folder is as it should be.
    """

    def __init__(self, run: RunFolder | None, minutes: float, warn: Callable[[str], None]) -> None:
        self.run, self.minutes, self._warn = run, minutes, warn
        self.problem: RunError | None = None
        self._told: set[str] = set()
        self._last = time.monotonic()
        self._took = 0.0

    def warn(self, message: str) -> None:
        """Tell a message, unless it was told before."""
        if message not in self._told:
            self._told.add(message)
            self._warn(message)

    def save_model(self, module: nn.Module, annotations: Mapping[str, object]) -> None:
        """Replace the model in the folder."""
        if self.run is None:
            return
        try:
            self.run.save_model(module, annotations)
            self.problem = None
        except RunError as error:
            self.problem = error
            self.warn(f"{error}; the training goes on")

    def has_model(self) -> bool:
        """Whether there is a model in the folder, or none is wanted."""
        return self.run is None or self.run.has_model()

    def write_metrics(self, rows: Sequence[MetricsRow]) -> None:
        """Replace the content of metrics.jsonl."""
        if self.run is None:
            return
        try:
            self.run.write_metrics(text_of(rows))
        except RunError as error:
            self.warn(f"{error}; the training goes on")

    def clean_up(self, rows: Sequence[MetricsRow]) -> None:
        """Leave no temporary files of a killed process, and no rows of metrics but these."""
        if self.run is None:
            return
        self.run.remove_temporary()
        self.write_metrics(rows)

    def is_due(self, ends_epoch: bool) -> bool:
        """Whether it is time for a checkpoint.

        Args:
            ends_epoch: whether the coming update is the last one of an epoch.
        """
        if self.run is None:
            return False
        since = time.monotonic() - self._last
        return since >= self.minutes * 60 or (ends_epoch and since * LARGEST_SHARE >= self._took)

    def write_checkpoint(self, checkpoint: TrainingCheckpoint) -> None:
        """Replace the checkpoint."""
        if self.run is None:
            return
        begin = time.monotonic()
        try:
            write_checkpoint(self.run.checkpoint, checkpoint, self.run.fingerprint)
        except RunError as error:
            self.warn(f"{error}; the training goes on, and the checkpoint before stays")
        self._last = time.monotonic()
        self._took = self._last - begin
