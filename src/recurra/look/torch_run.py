"""A run of a model of torch that leaves the model as it was, and what its recurrent parts were given in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass
class Visit:
    """The calls of a module in a run.

    Attributes:
        module: the module.
        arguments: the arguments of its first call.
        result: the result of its first call.
        calls: the number of its calls.
    """

    module: nn.Module
    arguments: tuple[Any, ...]
    result: Any
    calls: int = 1


def visits(model: nn.Module, parts: Sequence[nn.Module], given: tuple[Any, ...]) -> list[Visit]:
    """Run a model once, in evaluation mode and without gradients, and return its calls of some modules, in order.

    The modules' modes, their buffers and torch's random numbers are as before afterwards.

    Args:
        model: the model.
        parts: the modules to watch.
        given: the model's arguments.
    """
    found: dict[int, Visit] = {}

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if id(module) in found:
            found[id(module)].calls += 1
        else:
            found[id(module)] = Visit(module, _positional(args, kwargs), result)

    hooks = [part.register_forward_hook(note, with_kwargs=True) for part in parts]
    try:
        with _unchanged(model), torch.no_grad():
            model(*given)
    finally:
        for hook in hooks:
            hook.remove()
    return list(found.values())


def _positional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Input and states of a call; a state that is None counts as not given."""
    named = [kwargs[name] for name in ("input", "x", "hx", "state") if kwargs.get(name) is not None]
    values = [*args, *named][:2]
    return tuple(values if len(values) < 2 or values[1] is not None else values[:1])


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for the time of a run; then modes, buffers and random numbers are as before."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer._version, buffer.clone()) for buffer in model.buffers()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices, key=str)):
        try:
            model.eval()
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            with torch.no_grad():
                for buffer, version, value in buffers:
                    if buffer._version != version:
                        buffer.copy_(value)
