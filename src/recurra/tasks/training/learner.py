"""The learner: a module with its optimizer, the averages of its weights, and the best weights so far."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from recurra.tasks.training.checkpoint import TrainingCheckpoint, grouped, require_same
from recurra.tasks.training.optimizers import Optimizer, average, scale_and_clip
from recurra.tasks.training.settings import TrainingSettings
from recurra.tasks.training.weights import NamedTensors, copied, lent, overwrite, weights_of


class Learner:
    """A module with all that an update changes.

    Args:
        module: the module; those of its parameters that require gradients are trained.
        settings: the optimizer and its numbers.

    Attributes:
        best: the weights of the best evaluation; None before the first.
        averages: the means of the weights since averaging began; None before that.
    """

    def __init__(self, module: nn.Module, settings: TrainingSettings) -> None:
        self.module, self.settings = module, settings
        self.parameters = {name: each for name, each in module.named_parameters() if each.requires_grad}
        self.optimizer = Optimizer(self.parameters, settings)
        self.best: NamedTensors | None = None
        self.averages: NamedTensors | None = None

    def gradients(self) -> list[Tensor]:
        """The gradients of all parameters; zeros for one that the loss does not depend on."""
        for parameter in self.parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.parameters.values() if parameter.grad is not None]

    def update(self, items: float, rate: float, averaged: int) -> None:
        """Update the weights by the gradients, and then the averages if there are any.

        Args:
            items: the number of items that the gradients are sums over.
            rate: the learning rate.
            averaged: the number of weights that the averages are means of.
        """
        gradients = self.gradients()
        scale_and_clip(gradients, items, self.settings)
        self.optimizer.update(gradients, rate)
        if self.averages is not None:
            average(self.averages, weights_of(self.module), averaged)

    def begin_averaging(self) -> None:
        """Begin the averages with the weights as they are."""
        self.averages = copied(weights_of(self.module))

    def with_averages(self) -> AbstractContextManager[None]:
        """A block in which the module has the averages as its weights, if there are any."""
        return lent(self.module, self.averages)

    def with_best(self) -> AbstractContextManager[None]:
        """A block in which the module has its best weights, if there are any."""
        return lent(self.module, self.best)

    def keep_best(self) -> None:
        """Keep the weights as they are as the best ones."""
        self.best = copied(weights_of(self.module))

    def tensors(self) -> dict[str, Tensor]:
        """All tensors that :meth:`load` needs, by names ``group/name``."""
        return {
            **grouped("weights", weights_of(self.module)),
            **grouped("best", self.best or {}),
            **grouped("average", self.averages or {}),
            **grouped("optimizer", self.optimizer.tensors()),
        }

    def load(self, checkpoint: TrainingCheckpoint) -> None:
        """Take over the tensors of a checkpoint.

        Raises:
            RunError: they are not those of this module and optimizer; nothing has changed then.
        """
        own, progress = weights_of(self.module), checkpoint.progress
        weights, best, averages = (checkpoint.group(name) for name in ("weights", "best", "average"))
        kept = checkpoint.group("optimizer")
        require_same("weights", weights, own)
        require_same("best", best, {} if progress.best is None else own)
        require_same("average", averages, own if progress.averaged else {})
        require_same("optimizer", kept, self.optimizer.tensors())
        overwrite(own, weights)
        device = next(iter(own.values())).device
        self.best = {name: tensor.to(device) for name, tensor in best.items()} or None
        self.averages = {name: tensor.to(device) for name, tensor in averages.items()} or None
        self.optimizer.load(kept)
