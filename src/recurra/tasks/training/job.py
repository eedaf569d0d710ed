"""The protocol between the training loop and what it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn


class Job(Protocol):
    """A module to train, its losses on the training data, and its loss on the validation data.

    The data of an epoch are windows, which the loop asks for in ascending order. A window may carry a state on to the
    next; the loop takes it into checkpoints and gives it back, so that a training can go on at any window.

    With several processes each job holds this process's share of every window, as `recurra.tasks.training.processes`
    says; `windows_per_epoch` is the same for all.
    """

    @property
    def module(self) -> nn.Module:
        """The module whose parameters are trained; ``recurra.save`` writes it."""
        ...

    @property
    def annotations(self) -> Mapping[str, object]:
        """The facts that the model's file holds beside the module; see ``recurra.save``."""
        ...

    @property
    def windows_per_epoch(self) -> int:
        """The number of windows in an epoch."""
        ...

    @property
    def windows_per_evaluation(self) -> int:
        """The approximate number of training's windows whose forward passes take as long as an evaluation."""
        ...

    @property
    def item(self) -> str:
        """The name of the items that losses are means of, such as ``token``."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Prepare the windows of an epoch, counted from 1, as a function of its number alone, with no carried state."""
        ...

    def loss(self, window: int) -> tuple[Tensor, int]:
        """The sum of the losses of a window's items, a scalar with gradients, and the number of these items."""
        ...

    def state_tensors(self) -> Sequence[Tensor]:
        """The state that the next window starts from; dimension 1 of each tensor has the sequences of the batch."""
        ...

    def load_state_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Take over a state of :meth:`state_tensors`, of all processes joined.

        Raises:
            RunError: these are not the tensors of such a state.
        """
        ...

    def evaluate(self, stop: Callable[[], bool]) -> tuple[float, int] | None:
        """The sum of the losses of the validation data's items, and their number.

        The random generators and the carried state stay as they are. None if `stop`, which is asked after each window,
        has become true.
        """
        ...

    def figures(self, loss: float) -> Mapping[str, float]:
        """Figures that follow from a mean validation loss, by name, such as the perplexity."""
        ...
