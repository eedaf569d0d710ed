"""Decides whether a recurrent module of torch.nn can change to recurra's class, and gives the reason if it cannot."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from recurra.errors import RecurraError
from recurra.nn.acceleration import classes
from recurra.nn.acceleration.classes import Accelerated, own_class

ACCELERATED: dict[type[nn.Module], type[Accelerated]] = {
    nn.RNN: classes.RNN,
    nn.LSTM: classes.LSTM,
    nn.GRU: classes.GRU,
    nn.RNNCell: classes.RNNCell,
    nn.LSTMCell: classes.LSTMCell,
    nn.GRUCell: classes.GRUCell,
}
_NAMES = {kind.__name__ for kind in ACCELERATED}

# Attributes that are arguments of the constructors.
_CONFIGURATION = (
    "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "nonlinearity"
)  # fmt: skip
# Attributes that follow from the configuration.
_CONSEQUENCES = ("mode", "_all_weights")
# Methods that torch.nn's forward calls and recurra's does not, and forward itself.
_CALLED_BY_FORWARD = {"forward", "check_forward_args", "check_hidden_size", "check_input", "permute_hidden"}


@dataclass(frozen=True)
class Obstacle:
    """The reason why a module cannot change to recurra's class."""

    reason: str


def is_torch_recurrent(module: nn.Module) -> bool:
    """Tell whether a module is a recurrent one of torch's in any form: a subclass, compiled or quantized."""
    if isinstance(module, torch.jit.ScriptModule):
        return module.original_name in _NAMES
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return True
    return type(module).__name__ in _NAMES and type(module).__module__.startswith("torch.")


def assess(module: nn.Module) -> nn.Module | Obstacle:
    """Recurra's counterpart of a recurrent module of torch, or the first obstacle to the change."""
    reason = _foreign_class(module) or _own_attributes(module) or _old_hook(module) or unfit_weights(module)
    if reason is not None:
        return Obstacle(reason)
    try:
        return counterpart(module)
    except RecurraError as error:
        return Obstacle(str(error))


def counterpart(module: nn.Module) -> nn.Module:
    """A module of recurra with the configuration of one of torch.nn; its parameters hold no numbers.

    Raises:
        RecurraError: recurra has no such module, or the attributes contradict each other.
    """
    kind, proj_size = own_class(module), getattr(module, "proj_size", 0)
    arguments: dict[str, Any] = {name: getattr(module, name) for name in _CONFIGURATION if hasattr(module, name)}
    if arguments.get("num_layers") == 1:
        arguments["dropout"] = 0.0  # it has no effect, and the layer would warn
    if isinstance(module, Accelerated):
        arguments["compute"] = module.compute
    if kind is nn.LSTM:
        arguments["proj_size"] = proj_size
    elif proj_size:
        raise RecurraError(f"{kind.__name__} has no proj_size; here it is {proj_size}")
    try:
        alike = ACCELERATED[kind].recurra_class(**arguments, device="meta")
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecurraError(str(error)) from None
    for name in _CONSEQUENCES:
        if getattr(module, name, None) != getattr(alike, name, None):
            raise RecurraError(f"its {name} does not fit its configuration")
    return alike


def _foreign_class(module: nn.Module) -> str | None:
    """The reason why a module's class has no counterpart."""
    if own_class(module) in ACCELERATED:
        return None
    if isinstance(module, torch.jit.ScriptModule):
        return "compiled by torch.jit"
    for kind in ACCELERATED:
        if isinstance(module, kind):
            return f"a subclass of torch.nn.{kind.__name__}"
    return "not one of torch.nn's classes"


def _own_attributes(module: nn.Module) -> str | None:
    """The reason why an instance's own attributes, or changes of its class, forbid the change."""
    kind = own_class(module)
    ours = ACCELERATED[kind]
    own = {*vars(module), *module._parameters, *module._buffers, *module._modules}.difference(ours.dropped)
    for name in sorted(_CALLED_BY_FORWARD):
        if hasattr(kind, name) and not _is_of_torch(getattr(kind, name)):
            return f"torch.nn.{kind.__name__}.{name} was replaced"
    for name in sorted(own):
        if name in _CALLED_BY_FORWARD:
            return f"its own {name} stands in place of its class's"
        new = None if hasattr(kind, name) else inspect.getattr_static(ours, name, None)
        if name in ours.added or callable(new) or isinstance(new, property):
            return f"its attribute {name!r} has a name that recurra's class uses"
    return None


def _is_of_torch(function: Any) -> bool:
    return function.__module__ == nn.LSTM.__module__ and not hasattr(function, "__wrapped__")


def _old_hook(module: nn.Module) -> str | None:
    if module._backward_hooks and module._is_full_backward_hook is False:
        return "what a hook of register_backward_hook sees depends on how torch computes"
    return None


def unfit_weights(module: nn.Module) -> str | None:
    """The reason why recurra's kernels cannot read a module's parameters; None where they can."""
    for name, weight in module._parameters.items():
        if weight is None and name in _weight_names(module):
            return f"its {name} is None"
    dtypes: dict[torch.dtype, str] = {}
    for name, parameter in module.named_parameters():
        reason = _unfit_weight(parameter)
        if reason is not None:
            return f"{name} {reason}"
        dtypes.setdefault(parameter.dtype, name)
    if len(dtypes) > 1:
        return "its weights differ in dtype: " + ", ".join(f"{name} is {dtype}" for dtype, name in dtypes.items())
    return None


def _weight_names(module: nn.Module) -> list[str]:
    """The names of the weights that a module's configuration asks for."""
    if isinstance(module, nn.RNNBase):
        return module._flat_weights_names
    return ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if module.bias else [])]


def _unfit_weight(parameter: Tensor) -> str | None:
    if is_lazy(parameter):
        return "has no values yet"
    if type(parameter) is not nn.Parameter:
        return f"is a {type(parameter).__name__}, which recurra's kernels do not read"
    if parameter.device.type not in ("cpu", "meta"):
        return f"is on {parameter.device}; recurra's kernels run on the CPU"
    if parameter.dtype not in classes.DTYPES:
        return f"is {parameter.dtype}; recurra's kernels compute in float32 and float64"
    return None
