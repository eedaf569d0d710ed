"""The update of the weights: clipping, torch's optimizers, and the averaging of NT-ASGD."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from recurra.tasks.training.settings import TrainingSettings

# The decay of the mean of squared gradients is below torch's 0.999: trainings of minutes have few updates to adapt in.
BETAS = (0.9, 0.98)
PATIENCE = 5  # evaluations: n of NT-ASGD, Merity et al. (2018), section 3

# The values that torch's optimizers keep for a parameter, by the optimizer's name; `step` is a number, others have the
# parameter's shape.
KEPT: Mapping[str, tuple[str, ...]] = {
    "adamw": ("exp_avg", "exp_avg_sq", "step"),
    "adam": ("exp_avg", "exp_avg_sq", "step"),
    "sgd": (),
    "asgd": (),
}


def make_optimizer(parameters: Sequence[nn.Parameter], settings: TrainingSettings) -> torch.optim.Optimizer:
    """Make torch's optimizer of the settings' name; its update is one fused operation where there is one."""
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
    rate, decay = settings.rate, settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, betas=BETAS, weight_decay=decay, fused=fused)
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, betas=BETAS, weight_decay=decay, fused=fused)
    return torch.optim.SGD(parameters, lr=rate, weight_decay=decay, fused=fused)


def kept_by(optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """The tensors that an optimizer keeps, by names ``parameter/value``."""
    return {
        f"{name}/{key}": value
        for name, parameter in parameters.items()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def give_back(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter], kept: Mapping[str, Tensor]
) -> None:
    """Give an optimizer the tensors of :func:`kept_by`."""
    for name, parameter in parameters.items():
        found = {full.rpartition("/")[2]: value for full, value in kept.items() if full.rpartition("/")[0] == name}
        if found:
            device = {key: "cpu" if key == "step" and parameter.is_cpu else parameter.device for key in found}
            optimizer.state[parameter] = {key: value.to(device[key]) for key, value in found.items()}


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
