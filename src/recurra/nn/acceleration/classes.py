"""Classes that are torch.nn's and recurra's at once, and the change of a module's class to one of them and back.

Calls in float32 and float64 on the CPU run on recurra. All other calls run on torch's own code, as before: on other
devices, in half precision, under autocast, and wherever torch compiles, exports or traces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence

from recurra.engines.torch_internals import is_jit_traced, is_per_sample
from recurra.nn import dropins
from recurra.nn.further_inputs import GivenInputs
from recurra.nn.running.autograd import PLAIN
from recurra.nn.weights import weight_of

_logger = logging.getLogger("recurra")

DTYPES = (torch.float32, torch.float64)

# Methods of torch.nn's layers that TorchScript compiles; it looks them up in the class that a module has at first.
_SCRIPTED = (
    "check_input", "check_hidden_size", "check_forward_args", "permute_hidden", "get_expected_hidden_size",
    "get_expected_cell_size",
)  # fmt: skip


_whole = ContextVar("whole", default=False)


@contextmanager
def exported_whole() -> Iterator[None]:
    """Have torch.export record an accelerated layer as ``recurra::scan`` inside the block, and not as torch's own.

    Torch's own operation fixes the number of steps to that of the example.
    """
    token = _whole.set(True)
    try:
        yield
    finally:
        _whole.reset(token)


def _runs_on_recurra(x: object) -> bool:
    data = x.data if isinstance(x, PackedSequence) else x
    if not isinstance(data, Tensor):
        return not isinstance(data, fx.Proxy)  # recurra refuses anything else with a message
    if torch.compiler.is_dynamo_compiling():  # which cannot trace what reads a context variable
        return False
    if not _whole.get() and (torch.compiler.is_compiling() or is_jit_traced()):
        return False
    if not data.is_floating_point():  # recurra's message does not advise whole numbers as weights
        return not data.is_complex()
    return data.is_cpu and data.dtype in DTYPES and not torch.is_autocast_enabled("cpu")


def _can_be_read(module: nn.Module) -> bool:
    """Whether recurra computes with a module's weights; classes of tensors with their own rules are left to torch."""
    given = [weight for weight in module._parameters.values() if weight is not None]
    return _whole.get() or all(type(weight) in PLAIN or is_per_sample(weight) for weight in given)


class Accelerated(nn.Module):
    """Base of the classes that inherit from a class of torch.nn and from its counterpart in recurra.

    Attributes:
        torch_class: the class of torch.nn.
        recurra_class: the class of recurra.
        added: attributes of an instance that only recurra's class has.
        dropped: attributes of an instance that only torch.nn's class has.
    """

    torch_class: ClassVar[type[nn.Module]]
    recurra_class: ClassVar[type[nn.Module]]
    added: ClassVar[tuple[str, ...]]
    dropped: ClassVar[tuple[str, ...]] = ()

    # torch.nn.RNNBase pickles and copies its list of weights in a special way; recurra has no such list.
    __setstate__ = nn.Module.__setstate__

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __prepare_scriptable__(self) -> nn.Module:
        """Change back for torch.jit.script, which compiles torch.nn's classes alone."""
        change_back(self)
        return self

    def __dir__(self) -> list[str]:
        """All names but the next one, as torch.jit.trace reads every name that it finds here."""
        names: list[str] = super().__dir__()  # type: ignore[no-untyped-call]
        return [name for name in names if name != "__jit_ignored_attributes__"]

    @property
    def __jit_ignored_attributes__(self) -> list[str]:
        """Change back for a ScriptModule that holds this module: it reads this name before it compiles ``forward``."""
        change_back(self)
        return []

    def _reconfigure(self, name: str, value: object) -> None:
        """Change back and set the attribute, since torch.nn's modules follow such a change."""
        _logger.warning(
            "%s of an accelerated %s was changed to %r: torch runs it until recurra.accelerate is called again",
            name,
            self.torch_class.__name__,
            value,
        )
        change_back(self)
        setattr(self, name, value)

    def extra_repr(self) -> str:
        """Show the same as torch.nn's class."""
        shown: str = self.torch_class.extra_repr(self)
        return shown

    def _on_torch(self, x: Any, state: Any) -> Any:
        """Run torch.nn's forward; torch.fx.symbolic_trace records one node, as for torch.nn's own modules."""
        if isinstance(x, fx.Proxy):
            tracer: Any = x.tracer
            return tracer.create_proxy("call_module", tracer.path_of_module(self), (x, state), {})
        return self.torch_class.forward(self, x, state)


class _AcceleratedLayer(Accelerated, dropins._DropIn):
    added = ("cell", "options", "checkpoint", "compute", "_scans", "_calls", "_arrangement")
    dropped = ("_flat_weights", "_flat_weight_refs")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__annotations__ = nn.RNNBase.__annotations__
        for name in _SCRIPTED:
            if hasattr(cls.torch_class, name):
                setattr(cls, name, getattr(cls.torch_class, name))

    def _update_flat_weights(self) -> None:
        """Do nothing, as the list of weights is made whenever it is read; TorchScript compiles this."""

    # torch.onnx.export passes a value for every parameter that has a default, by position.
    def forward(self, input: Any, hx: Any = None, **recurras: Any) -> tuple[Any, ...]:  # type: ignore[override]
        """Run recurra's layer; ``reset`` and ``return_trace`` are keyword arguments."""
        return super().forward(input, hx, **recurras)

    def _checked_call(
        self, x: Any, state: object, reset: Tensor | None, return_trace: bool, inputs: GivenInputs
    ) -> tuple[Any, ...]:
        if reset is None and not return_trace and not (_runs_on_recurra(x) and _can_be_read(self)):
            result: tuple[Any, ...] = self._on_torch(x, state)
            return result
        return super()._checked_call(x, state, reset, return_trace, inputs)

    def _weights(self) -> list[list[Tensor]]:
        names = self._flat_weights_names
        parametrized = [name for name in names if is_parametrized(self, name)]
        # torch.nn reads every weight twice, in order; before that it reads twice the first weight that has changed
        # since the last call. A parametrisation that draws numbers or holds a state notices, so this reads as often.
        found: dict[str, Tensor] = {}
        for name in (*parametrized[:1], *names):
            hasattr(self, name)
            found[name] = weight_of(self, name)
        return [[found[name] for name in group] for group in self._all_weights]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        nn.Module._apply(self, fn, recurse)  # type: ignore[no-untyped-call]
        self.flatten_parameters()
        return self

    def flatten_parameters(self) -> None:
        """Lay the weights one after the other on a GPU, as torch.nn's layer does; elsewhere do nothing."""
        first = getattr(self, self._flat_weights_names[0], None)
        if first is not None and first.is_cuda:
            nn.RNNBase.flatten_parameters(self)  # type: ignore[arg-type]


class _AcceleratedCell(Accelerated, dropins._DropInCell):
    added = ("cell", "options", "compute", "_scan", "_calls", "_names")

    def _checked_call(self, x: Any, state: Any, inputs: GivenInputs) -> Any:
        if not (_runs_on_recurra(x) and _can_be_read(self)):
            return self._on_torch(x, state)
        return super()._checked_call(x, state, inputs)


class RNN(_AcceleratedLayer, dropins.RNN, nn.RNN):  # type: ignore[misc]
    """torch.nn.RNN, run by recurra."""

    torch_class = nn.RNN
    recurra_class = dropins.RNN


class LSTM(_AcceleratedLayer, dropins.LSTM, nn.LSTM):  # type: ignore[misc]
    """torch.nn.LSTM, run by recurra."""

    torch_class = nn.LSTM
    recurra_class = dropins.LSTM


class GRU(_AcceleratedLayer, dropins.GRU, nn.GRU):  # type: ignore[misc]
    """torch.nn.GRU, run by recurra."""

    torch_class = nn.GRU
    recurra_class = dropins.GRU


class RNNCell(_AcceleratedCell, dropins.RNNCell, nn.RNNCell):
    """torch.nn.RNNCell, run by recurra."""

    torch_class = nn.RNNCell
    recurra_class = dropins.RNNCell


class LSTMCell(_AcceleratedCell, dropins.LSTMCell, nn.LSTMCell):
    """torch.nn.LSTMCell, run by recurra."""

    torch_class = nn.LSTMCell
    recurra_class = dropins.LSTMCell


class GRUCell(_AcceleratedCell, dropins.GRUCell, nn.GRUCell):
    """torch.nn.GRUCell, run by recurra."""

    torch_class = nn.GRUCell
    recurra_class = dropins.GRUCell


def own_class(module: nn.Module) -> type[nn.Module]:
    """A module's class; the one below it, where torch.nn.utils.parametrize made a class for this module alone."""
    kind = type(module)
    base: type[nn.Module] = kind.__bases__[0]
    return base if is_parametrized(module) and kind.__name__ == f"Parametrized{base.__name__}" else kind


def change_class(module: nn.Module, kind: type[Accelerated], attributes: Mapping[str, Any]) -> None:
    """Change a module of torch.nn to the class that is recurra's too.

    Args:
        module: the module.
        kind: the class.
        attributes: values, by name, of the attributes that the class adds.
    """
    for name in kind.dropped:
        module.__dict__.pop(name, None)
    module.__dict__.update({name: attributes[name] for name in kind.added})
    _set_class(module, kind)


def change_back(module: Accelerated) -> None:
    """Change a module back to torch.nn's class."""
    kind = type(module)
    for name in kind.added:
        module.__dict__.pop(name, None)
    _set_class(module, kind.torch_class)
    if isinstance(module, nn.RNNBase):
        module._init_flat_weights()


def _set_class(module: nn.Module, kind: type[nn.Module]) -> None:
    """Set a module's class; a parametrised module keeps a class of its own above it."""
    own = type(module)
    if own_class(module) is not own:
        members = {name: value for name, value in vars(own).items() if name not in ("__dict__", "__weakref__")}
        kind = type(own.__name__, (kind,), members)
    module.__class__ = kind
