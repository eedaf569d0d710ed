"""Which class of recurra's a module of torch.nn's can change to, and what stands in the way."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from recurra.errors import RecurraError
from recurra.nn.acceleration import classes
from recurra.nn.acceleration.classes import Accelerated

Kind = type[nn.Module]

ACCELERATED: dict[Kind, type[Accelerated]] = {
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
# What torch.nn's forward calls and recurra's does not.
_CALLED_BY_FORWARD = {"forward", "check_forward_args", "check_hidden_size", "check_input", "permute_hidden"}


def own_class(module: nn.Module) -> Kind:
    """A module's class; where torch.nn.utils.parametrize made one of its own for it, the one below that."""
    kind = type(module)
    base: Kind = kind.__bases__[0]
    return base if parametrize.is_parametrized(module) and kind.__name__ == f"Parametrized{base.__name__}" else kind


def is_torch_recurrent(module: nn.Module) -> bool:
    """Whether a module is one of torch's recurrent ones in any form: a subclass, compiled, quantised."""
    if isinstance(module, torch.jit.ScriptModule):
        return module.original_name in _NAMES
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return True
    return type(module).__name__ in _NAMES and type(module).__module__.startswith("torch.")


def counterpart(module: nn.Module) -> nn.Module:
    """A module of recurra's with the configuration of one of torch.nn's; its parameters hold no numbers.

    Raises:
        RecurraError: recurra has no such module, or the attributes contradict each other.
    """
    kind, proj_size = own_class(module), getattr(module, "proj_size", 0)
    wanted: dict[str, Any] = {name: getattr(module, name) for name in _CONFIGURATION if hasattr(module, name)}
    if wanted.get("num_layers") == 1:
        wanted["dropout"] = 0.0  # there is no place for it, and the layer would warn
    if kind is nn.LSTM:
        wanted["proj_size"] = proj_size
    elif proj_size:
        raise RecurraError(f"{kind.__name__} has no proj_size; here it is {proj_size}")
    try:
        made = ACCELERATED[kind].recurra_class(**wanted, device="meta")
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecurraError(str(error)) from None
    for name in _CONSEQUENCES:
        if getattr(module, name, None) != getattr(made, name, None):
            raise RecurraError(f"its {name} does not fit its configuration")
    return made


def obstacle(module: nn.Module) -> str | None:
    """Why a recurrent module of torch's cannot change to recurra's class; None where it can."""
    if own_class(module) not in ACCELERATED:
        return _foreign_class(module)
    reason = _own_attributes(module)
    if reason is not None:
        return reason
    if module._backward_hooks and module._is_full_backward_hook is False:
        return "what a hook of register_backward_hook sees depends on how torch computes"
    reason = unfit(module)
    if reason is not None:
        return reason
    try:
        counterpart(module)
    except RecurraError as error:
        return str(error)
    return None


def _foreign_class(module: nn.Module) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        return "compiled by torch.jit"
    for kind in ACCELERATED:
        if isinstance(module, kind):
            return f"a subclass of torch.nn.{kind.__name__}"
    return "not one of torch.nn's classes"


def _own_attributes(module: nn.Module) -> str | None:
    """What an instance's own attributes have against the change."""
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


def unfit(module: nn.Module) -> str | None:
    """Why recurra's kernels cannot work with a module's parameters; None where they can."""
    for name, weight in module._parameters.items():
        if weight is None and name in _weight_names(module):
            return f"its {name} is None"
    dtypes: dict[torch.dtype, str] = {}
    for name, parameter in module.named_parameters():
        reason = _unfit(parameter)
        if reason is not None:
            return f"{name} {reason}"
        dtypes.setdefault(parameter.dtype, name)
    if len(dtypes) > 1:
        return "its weights differ in dtype: " + ", ".join(f"{name} is {dtype}" for dtype, name in dtypes.items())
    return None


def _weight_names(module: nn.Module) -> list[str]:
    """The weights that its configuration asks for."""
    if isinstance(module, nn.RNNBase):
        return module._flat_weights_names
    return ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if module.bias else [])]


def _unfit(parameter: Tensor) -> str | None:
    if is_lazy(parameter):
        return "has no values yet"
    if type(parameter) is not nn.Parameter:
        return f"is a {type(parameter).__name__}, which recurra's kernels do not read"
    if parameter.device.type not in ("cpu", "meta"):
        return f"is on {parameter.device}; recurra's kernels run on the CPU"
    if parameter.dtype not in classes.DTYPES:
        return f"is {parameter.dtype}; recurra's kernels compute in float32 and float64"
    return None
