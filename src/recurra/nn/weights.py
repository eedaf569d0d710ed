"""The weights of layers and cells: registering, initialising, reading and setting them by name."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recurra.equations import Cell
from recurra.equations.initial import InitialValue, keep, keywords_of
from recurra.errors import EquationError


def register(
    module: nn.Module,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    suffix: str,
    untrained: Collection[str] = (),
    **factory: Any,
) -> list[str]:
    """Register a parameter for each name and shape in a module.

    Args:
        module: the module.
        shapes: the names and shapes.
        suffix: the end of each parameter's name.
        untrained: the names of those that are made without ``requires_grad``. Default none.
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
        setattr(module, full, nn.Parameter(torch.empty(shape, **factory), requires_grad=name not in untrained))
        names.append(full)
    return names


def reset(
    module: nn.Module,
    hidden_size: int,
    cell: Cell,
    options: Mapping[str, Any],
    suffixes: Sequence[str] = ("",),
    others: Mapping[str, int] | None = None,
) -> None:
    """Draw all parameters in turn from U(-1/√hidden_size, 1/√hidden_size), as torch.nn does; then as the cell says.

    On the device meta there are no numbers to draw.

    Args:
        module: the module of the parameters.
        hidden_size: its hidden size.
        cell: its cell.
        options: all options of the cell.
        suffixes: for each scan of the cell, the end of its parameters' names. Default one scan, without.
        others: another hidden size for parameters, by name. Default none.

    Raises:
        EquationError: a function of the cell gives a value instead of filling the parameter.
    """
    if any(parameter.is_meta for parameter in module.parameters()):
        return
    kept = {name + suffix for suffix in suffixes for name, value in cell.init.items() if value is keep}
    for name, parameter in module.named_parameters():
        if name not in kept:
            size = (others or {}).get(name, hidden_size)
            bound = 1.0 / math.sqrt(size) if size > 0 else 0
            nn.init.uniform_(parameter, -bound, bound)
    for suffix in suffixes:
        held = {name: getattr(module, name + suffix, None) for name in cell.parameters}
        own = {name: value for name, value in held.items() if isinstance(value, Tensor)}
        for name in [name for name in cell.init if name in own]:
            _fill(f"cell {cell.name!r}: init[{name!r}]", own[name], cell.init[name], {**options, **own})


@torch.no_grad()
def _fill(what: str, parameter: Tensor, value: InitialValue, given: Mapping[str, Any]) -> None:
    if not callable(value):
        parameter.fill_(value)
        return
    result = value(parameter, **{name: given[name] for name in keywords_of(value) if name in given})
    if result is not None and result is not parameter:
        raise EquationError(
            f"{what} returns a {type(result).__name__}: it must fill the parameter that it is given in place, as the "
            "functions of torch.nn.init do, for example by parameter.copy_(…)"
        )


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
