"""The numbers of a module by name: copies of them, and others in their place for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

NamedTensors = dict[str, Tensor]


def weights_of(module: nn.Module) -> NamedTensors:
    """The parameters and buffers of a module by name, without gradients; one that has two names counts once."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach() for name, tensor in named}


def copied(weights: Mapping[str, Tensor]) -> NamedTensors:
    """Copies of tensors by name."""
    return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()}


@torch.no_grad()
def overwrite(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Write values into tensors of the same names and shapes, in place."""
    for name, tensor in weights.items():
        tensor.copy_(values[name])


@contextmanager
def lent(module: nn.Module, values: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Give a module other weights inside the block; None leaves it as it is."""
    if values is None:
        yield
        return
    own = weights_of(module)
    before = copied(own)
    overwrite(own, values)
    try:
        yield
    finally:
        overwrite(own, before)


def are_finite(weights: Mapping[str, Tensor]) -> bool:
    """Whether all numbers are finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in weights.values())
