"""The autoregressive network: recurrent layers and a linear map to the parameters of a likelihood."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra import cells
from recurra.nn import Recurrent, Stack
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.likelihoods import Functions, Likelihood
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings

TORCH = Functions(functional.softplus, torch.log, torch.log1p, torch.lgamma)


def make_network(recipe: AutoregressiveRecipe, settings: AutoregressiveSettings) -> Stack:
    """Make a network with random weights from torch's generator: (T, B, inputs) to (T, B, outputs)."""
    between = settings.dropout if settings.layers > 1 else 0.0
    recurrent = Recurrent(cells.all()[settings.cell], recipe.inputs, settings.hidden, settings.layers, dropout=between)
    return Stack(
        OrderedDict[str, nn.Module](
            recurrent=recurrent,
            dropout=nn.Dropout(settings.dropout),
            output=nn.Linear(recurrent.output_size, recipe.distribution.outputs),
        )
    )


def scaled_means(likelihood: Likelihood, raw: Tensor, scale: Tensor) -> Tensor:
    """The scaled mean that a network's outputs (…, outputs) forecast, float64 (…)."""
    (mean, *_) = likelihood.parameters(raw.double(), scale, TORCH)
    result: Tensor = mean / scale if likelihood.is_of_counts else mean
    return result


def log_densities(likelihood: Likelihood, raw: Tensor, scaled: Tensor, scale: Tensor) -> Tensor:
    """The logarithms of the densities of values, float64.

    They are computed in float64, as differences of log Γ lose the digits of float32.

    Args:
        likelihood: the distribution.
        raw: the network's outputs, (…, outputs).
        scaled: the scaled values, float64 (…).
        scale: the scale of each series, float64 (…); counts are the scaled values times it.

    Returns:
        (…): of scaled values, or the logarithms of counts' probabilities.
    """
    values = torch.round(scaled * scale) if likelihood.is_of_counts else scaled
    result: Tensor = likelihood.log_density(values, likelihood.parameters(raw.double(), scale, TORCH), TORCH)
    return result
