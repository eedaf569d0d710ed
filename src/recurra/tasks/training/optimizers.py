"""The update of the weights: clipping, torch's optimizers, and the averaging of NT-ASGD."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from recurra.tasks.training.settings import TrainingSettings
from recurra.tasks.training.weights import overwrite

# The decay of the mean of squared gradients is below torch's 0.999: trainings of minutes have few updates to adapt in.
BETAS = (0.9, 0.98)
EPSILON = 1e-8  # torch's
ADAGRAD_EPSILON = 1e-10  # torch's
PATIENCE = 5  # evaluations: n of NT-ASGD, Merity et al. (2018), section 3

# The values that an optimizer keeps for a parameter, by its name; `step` is a number, others have the parameter's
# shape.
KEPT: Mapping[str, tuple[str, ...]] = {
    "adamw": ("exp_avg", "exp_avg_sq", "step"),
    "adam": ("exp_avg", "exp_avg_sq", "step"),
    "adagrad": ("sum", "step"),
    "sgd": (),
    "asgd": (),
}

# The kinds of devices on which torch has the update as one operation.
FUSED_ON: Mapping[str, tuple[str, ...]] = {**dict.fromkeys(KEPT, ("cpu", "cuda")), "adagrad": ("cpu",)}


class Optimizer:
    """The update of named parameters by one of torch's optimizers, and the tensors that it keeps between updates.

    It calls the functions behind torch's classes: making one of the classes imports torch's compiler, which takes
    seconds and 70 MB.

    Args:
        parameters: the parameters by name.
        settings: the optimizer's name and its numbers.

    Attributes:
        kept: the tensors kept, by the names of :data:`KEPT` and then of the parameters.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], settings: TrainingSettings) -> None:
        self.parameters, self.settings = parameters, settings
        # The update is one fused operation where there is one.
        fused = FUSED_ON[settings.optimizer]
        self._fused = all(each.device.type in fused for each in parameters.values())
        self.kept = {
            key: {name: self._zeros(key, each) for name, each in parameters.items()} for key in KEPT[settings.optimizer]
        }

    def _zeros(self, key: str, parameter: nn.Parameter) -> Tensor:
        if key == "step":
            return torch.zeros((), device=parameter.device if self._fused else "cpu")
        return torch.zeros_like(parameter.detach())

    @torch.no_grad()
    def update(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Update the parameters by their gradients, which are in the parameters' order, at a learning rate."""
        parameters: list[Tensor] = list(self.parameters.values())
        match self.settings.optimizer:
            case "adamw":
                self._adam(adamw, parameters, list(gradients), rate)
            case "adam":
                self._adam(adam, parameters, list(gradients), rate)
            case "adagrad":
                self._adagrad(parameters, list(gradients), rate)
            case _:
                self._sgd(parameters, list(gradients), rate)

    def _adam(self, rule: Callable[..., None], parameters: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        averages, squares, steps = (list(self.kept[key].values()) for key in ("exp_avg", "exp_avg_sq", "step"))
        rule(
            parameters,
            gradients,
            averages,
            squares,
            [],
            steps,
            fused=self._fused,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=rate,
            weight_decay=self.settings.weight_decay,
            eps=EPSILON,
            maximize=False,
        )

    def _adagrad(self, parameters: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        sums, steps = (list(self.kept[key].values()) for key in ("sum", "step"))
        adagrad(
            parameters,
            gradients,
            sums,
            steps,
            fused=self._fused,
            foreach=not self._fused,
            lr=rate,
            weight_decay=self.settings.weight_decay,
            lr_decay=0.0,
            eps=ADAGRAD_EPSILON,
            maximize=False,
        )

    def _sgd(self, parameters: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        sgd(
            parameters,
            gradients,
            [None] * len(parameters),
            fused=self._fused,
            weight_decay=self.settings.weight_decay,
            momentum=0.0,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def zero_grad(self) -> None:
        """Forget the parameters' gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """The tensors kept, by names ``parameter/value``."""
        return {f"{name}/{key}": tensor for key, tensors in self.kept.items() for name, tensor in tensors.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the tensors of :meth:`tensors`."""
        overwrite(self.tensors(), tensors)


@torch.no_grad()
def scale_and_clip(gradients: Sequence[Tensor], items: float, settings: TrainingSettings) -> None:
    """Turn the gradients of a sum over items into those of the mean, clipped by value and then by norm; in place.

    The bounds are multiplied by the number of items instead of dividing all gradients first, so that they are read and
    written once less.
    """
    factor = 1.0 / items
    if math.isfinite(settings.clip_value):
        bound = settings.clip_value * items
        for gradient in gradients:
            gradient.clamp_(-bound, bound)
    if math.isfinite(settings.clip):
        norm = float(nn.utils.get_total_norm(gradients)) / items
        # As clip_grad_norm_ has it: 1e-6 keeps the quotient finite.
        factor *= min(1.0, settings.clip / (norm + 1e-6))
    for gradient in gradients:
        gradient.mul_(factor)


def triggers(losses: Sequence[float], loss: float) -> bool:
    """Whether averaging begins at an evaluation: algorithm 1 of Merity et al. (2018).

    Args:
        losses: the validation losses of all evaluations before.
        loss: that of this one.
    """
    count = len(losses) - PATIENCE
    return count > 0 and loss > min(losses[:count])


@torch.no_grad()
def average(averages: Mapping[str, Tensor], weights: Mapping[str, Tensor], count: int) -> None:
    """Take weights into the mean of `count` earlier ones, in place."""
    for name, mean in averages.items():
        if mean.is_floating_point():
            mean.lerp_(weights[name], 1 / (count + 1))
        else:
            mean.copy_(weights[name])
