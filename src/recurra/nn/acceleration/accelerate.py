"""``accelerate`` and ``restore``: a model's recurrent modules of torch.nn's become recurra's, and torch.nn's again."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from recurra.nn.acceleration.classes import Accelerated
from recurra.nn.acceleration.fitness import ACCELERATED, counterpart, is_torch_recurrent, obstacle, own_class, unfit

_logger = logging.getLogger("recurra")

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Part:
    """A recurrent module inside of a model.

    Attributes:
        name: where it lies, as in ``named_modules``; empty for the model itself.
        module: the module.
        reason: why torch runs it; empty where recurra does.
    """

    name: str
    module: nn.Module
    reason: str = ""

    @property
    def kind(self) -> str:
        """Its class: torch.nn's by name, others in full."""
        kind = own_class(self.module)
        is_known = isinstance(self.module, Accelerated) or kind in ACCELERATED
        return kind.__name__ if is_known else f"{kind.__module__}.{kind.__qualname__}"

    def __str__(self) -> str:
        where = f"{self.name} ({self.kind})" if self.name else self.kind
        return f"{where}: {self.reason}" if self.reason else where


@dataclass(frozen=True)
class Acceleration:
    """Which recurrent modules of a model recurra runs, and which torch; ``str()`` has a line for each.

    Attributes:
        replaced: those that recurra runs.
        left: those that torch runs, with reasons.
    """

    replaced: tuple[Part, ...]
    left: tuple[Part, ...]

    def __str__(self) -> str:
        lines = [f"replaced {part}" for part in self.replaced] + [f"left alone {part}" for part in self.left]
        return "\n".join(lines) or "no recurrent modules of torch.nn's"


def accelerate(module: Module) -> Module:
    """Have recurra run every torch.nn.RNN, LSTM, GRU, RNNCell, LSTMCell and GRUCell of a model, in place.

    The modules stay the same objects: only their class changes, to one that is torch.nn's and recurra's at once. Their
    Parameters, hooks, parametrisations and names in the state_dict stay too. What cannot change is left alone,
    subclasses among it. ``recurra.nn.acceleration(module)`` lists both, and the logger ``recurra`` gets a line: a
    warning where something was left alone. Twice does no harm; ``restore`` undoes it.

    Args:
        module: a recurrent module, or any that holds some.

    Returns:
        the module that was given.

    Raises:
        TypeError: it is no torch.nn.Module.
    """
    _check("accelerate", module)
    for part in module.modules():
        if own_class(part) in ACCELERATED and obstacle(part) is None:
            _replace(part)
    report = acceleration(module)
    _logger.log(logging.WARNING if report.left else logging.INFO, "%s", _summary(type(module).__name__, report))
    return module


def restore(module: Module) -> Module:
    """Give back to torch.nn what ``accelerate`` took, in place. Nothing else is touched, nor are recurra's own layers.

    Args:
        module: what was given to ``accelerate``, or any that holds some of it.

    Returns:
        the module that was given.

    Raises:
        TypeError: it is no torch.nn.Module.
    """
    _check("restore", module)
    for part in module.modules():
        if isinstance(part, Accelerated) and own_class(part) in ACCELERATED.values():
            _give_back(part)
    return module


def acceleration(module: nn.Module) -> Acceleration:
    """Which recurrent modules of a model recurra runs, and why torch runs the others. Changes nothing.

    Args:
        module: any module, also one that was not accelerated: the reasons say what ``accelerate`` would do.

    Returns:
        what is replaced and what is left alone.

    Raises:
        TypeError: it is no torch.nn.Module.
    """
    _check("acceleration", module)
    parts = list(_parts(module))
    return Acceleration(tuple(part for part in parts if not part.reason), tuple(part for part in parts if part.reason))


def _check(function: str, module: object) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(f"{function} takes a torch.nn.Module, not {type(module).__name__}")


def _parts(module: nn.Module) -> Iterator[Part]:
    for name, part in module.named_modules():
        if isinstance(part, Accelerated):
            yield Part(name, part, unfit(part) or "")
        elif is_torch_recurrent(part):
            yield Part(name, part, obstacle(part) or "not yet given to recurra.accelerate, which replaces it")


def _summary(model: str, report: Acceleration) -> str:
    counts = Counter(part.kind for part in report.replaced)
    run = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"
    left = "; ".join(map(str, report.left))
    return f"recurra runs {run} of {model}" + (f"; left alone: {left}" if left else "")


def _replace(module: nn.Module) -> None:
    made, kind = counterpart(module), ACCELERATED[own_class(module)]
    for name in kind.dropped:
        module.__dict__.pop(name, None)
    module.__dict__.update({name: vars(made)[name] for name in kind.added})
    _change_class(module, kind)


def _give_back(module: Accelerated) -> None:
    kind = type(module)
    for name in kind.added:
        module.__dict__.pop(name, None)
    _change_class(module, kind.torch_class)
    if isinstance(module, nn.RNNBase):
        module._init_flat_weights()


def _change_class(module: nn.Module, kind: type[nn.Module]) -> None:
    """Make another class a module's; parametrisations keep a class of their own above it."""
    own = type(module)
    if own_class(module) is not own:
        members = {name: value for name, value in vars(own).items() if name not in ("__dict__", "__weakref__")}
        kind = type(own.__name__, (kind,), members)
    module.__class__ = kind
