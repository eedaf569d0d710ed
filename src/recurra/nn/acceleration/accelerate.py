"""``accelerate`` and ``restore``, which change a model's recurrent modules in place, and the report on them."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from recurra.nn.acceleration.classes import Accelerated, change_back, change_class, own_class
from recurra.nn.acceleration.fitness import ACCELERATED, Obstacle, assess, is_torch_recurrent, unfit_weights
from recurra.nn.fixed import check_compute
from recurra.program import Products

_logger = logging.getLogger("recurra")

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class FoundModule:
    """A recurrent module inside of a model.

    Attributes:
        name: its name in ``named_modules``; empty for the model itself.
        module: the module.
        reason: why torch runs it; empty where recurra does.
    """

    name: str
    module: nn.Module
    reason: str = ""

    @property
    def kind(self) -> str:
        """The module's class: the bare name for torch.nn's, the full name for others."""
        kind = own_class(self.module)
        is_known = isinstance(self.module, Accelerated) or kind in ACCELERATED
        return kind.__name__ if is_known else f"{kind.__module__}.{kind.__qualname__}"

    def __str__(self) -> str:
        where = f"{self.name} ({self.kind})" if self.name else self.kind
        return f"{where}: {self.reason}" if self.reason else where


@dataclass(frozen=True)
class Acceleration:
    """The recurrent modules of a model, by who runs them; ``str()`` has a line for each.

    Attributes:
        replaced: the modules that recurra runs.
        left: the modules that torch runs, with reasons.
    """

    replaced: tuple[FoundModule, ...]
    left: tuple[FoundModule, ...]

    def __str__(self) -> str:
        lines = [f"replaced {part}" for part in self.replaced] + [f"left alone {part}" for part in self.left]
        return "\n".join(lines) or "no recurrent modules of torch.nn's"


def accelerate(module: Module, *, compute: Products | None = None) -> Module:
    """Have recurra run every torch.nn.RNN, LSTM, GRU, RNNCell, LSTMCell and GRUCell of a model, in place.

    The modules stay the same objects: only their class changes, to one that is torch.nn's and recurra's at once. Their
    Parameters, hooks, parametrisations and names in the state_dict stay too. Modules that cannot change are left alone,
    subclasses among them. ``recurra.nn.acceleration(module)`` lists both. The logger ``recurra`` gets one line: a
    warning if something was left alone. A second call does no harm; ``restore`` undoes it.

    Args:
        module: a recurrent module, or any module that holds some.
        compute: the operands of matrix products in all modules that recurra runs then: see ``recurra.nn.Recurrent``.
            Default None: as before, and as ``recurra.compute`` and torch say.

    Returns:
        the module that was given.

    Raises:
        TypeError: it is no torch.nn.Module.
        ValueError: ``compute`` is no precision.
    """
    _check("accelerate", module)
    check_compute("accelerate", compute)
    report = _report(module, may_change=True)
    for found in report.replaced if compute is not None else ():
        found.module.compute = compute  # type: ignore[assignment]
    _logger.log(logging.WARNING if report.left else logging.INFO, "%s", _summary(type(module).__name__, report))
    return module


def restore(module: Module) -> Module:
    """Change modules that ``accelerate`` changed back to torch.nn's classes, in place; recurra's own layers stay.

    Args:
        module: a module that was given to ``accelerate``, or any module that holds some.

    Returns:
        the module that was given.

    Raises:
        TypeError: it is no torch.nn.Module.
    """
    _check("restore", module)
    for part in module.modules():
        if isinstance(part, Accelerated) and own_class(part) in ACCELERATED.values():
            change_back(part)
    return module


def acceleration(module: nn.Module) -> Acceleration:
    """List the recurrent modules of a model that recurra runs, and those that torch runs, with reasons.

    Args:
        module: any module; if it was not accelerated, the reasons say what ``accelerate`` would do.

    Returns:
        the modules that are replaced and those that are left alone.

    Raises:
        TypeError: it is no torch.nn.Module.
    """
    _check("acceleration", module)
    return _report(module, may_change=False)


def _check(function: str, module: object) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(f"{function} takes a torch.nn.Module, not {type(module).__name__}")


def _report(model: nn.Module, may_change: bool) -> Acceleration:
    found = [_found(name, module, may_change) for name, module in model.named_modules() if is_torch_recurrent(module)]
    return Acceleration(tuple(each for each in found if not each.reason), tuple(each for each in found if each.reason))


def _found(name: str, module: nn.Module, may_change: bool) -> FoundModule:
    """A recurrent module of a model; with ``may_change`` it is changed, if nothing forbids that."""
    if isinstance(module, Accelerated):
        return FoundModule(name, module, unfit_weights(module) or "")
    outcome = assess(module)
    if isinstance(outcome, Obstacle):
        return FoundModule(name, module, outcome.reason)
    if not may_change:
        return FoundModule(name, module, "not yet given to recurra.accelerate, which replaces it")
    change_class(module, ACCELERATED[own_class(module)], vars(outcome))
    return FoundModule(name, module)


def _summary(model: str, report: Acceleration) -> str:
    counts = Counter(module.kind for module in report.replaced)
    run = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"
    left = "; ".join(map(str, report.left))
    return f"recurra runs {run} of {model}" + (f"; left alone: {left}" if left else "")
