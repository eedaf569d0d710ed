"""The weights of layers and cells: registering, initialising, reading and setting them by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import EquationError


def register(
    module: nn.Module, shapes: Sequence[tuple[str, tuple[int, ...]]], suffix: str, **factory: Any
) -> list[str]:
    """Register a parameter for each name and shape in a module.

    Args:
        module: the module.
        shapes: the names and shapes.
        suffix: the end of each parameter's name.
        **factory: ``device`` and ``dtype`` of the parameters.

    Returns:
        the names, with the suffix.

    Raises:
        EquationError: the module has an attribute of that name.
    """
    names = []
    for name, shape in shapes:
        full = name + suffix
        if hasattr(module, full) or full.startswith("_"):
            raise EquationError(f"parameter {full!r} cannot be registered: {type(module).__name__} uses that name")
        setattr(module, full, nn.Parameter(torch.empty(shape, **factory)))
        names.append(full)
    return names


def reset_uniformly(module: nn.Module, hidden_size: int, constants: Mapping[str, float]) -> None:
    """Draw all parameters in turn from U(-1/√hidden_size, 1/√hidden_size), as torch.nn does; then set the constants."""
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -bound, bound)
    for name, value in constants.items():
        nn.init.constant_(getattr(module, name), value)


def weight_of(module: nn.Module, name: str) -> Tensor:
    """A weight by name.

    Raises:
        TypeError: it is no tensor, for example None.
    """
    weight = getattr(module, name)
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(module).__name__}.{name} must be a tensor, not {type(weight).__name__}")
    return weight


class FlatWeights(list[Tensor | None]):
    """A module's weights in order, as torch.nn's ``_flat_weights``: setting an item sets the module's attribute."""

    def __init__(self, module: nn.Module, names: Sequence[str]) -> None:
        super().__init__(getattr(module, name, None) for name in names)
        self._module, self._names = module, names

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        for name, weight in zip(self._names, self, strict=True):
            if getattr(self._module, name, None) is not weight:
                assign(self._module, name, weight)


def assign(module: nn.Module, name: str, weight: Tensor | None) -> None:
    """Set a weight by name; a plain tensor takes the place of a parameter."""
    if not isinstance(weight, nn.Parameter):
        module._parameters.pop(name, None)
    setattr(module, name, weight)
