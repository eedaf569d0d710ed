"""What ``accelerate`` makes of torch.nn's recurrent modules: instances of torch.nn's class and of recurra's at once.

Calls in float32 and float64 on the CPU run on recurra. All else runs on torch's own code, as it did before: other
devices, half precision, autocast, and what torch compiles, exports or traces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence

from recurra.engines.torch_internals import is_jit_traced
from recurra.nn import dropins
from recurra.nn.weights import weight_of

_logger = logging.getLogger("recurra")

DTYPES = (torch.float32, torch.float64)


def _runs_on_recurra(x: object) -> bool:
    data = x.data if isinstance(x, PackedSequence) else x
    if not isinstance(data, Tensor):
        return not isinstance(data, fx.Proxy)  # all else is refused, in words
    if not data.is_cpu or data.dtype not in DTYPES or torch.is_autocast_enabled("cpu"):
        return False
    return not torch.compiler.is_compiling() and not is_jit_traced()


class Accelerated(nn.Module):
    """Mixed into a class of torch.nn's and its counterpart in recurra.

    Attributes:
        torch_class: torch.nn's.
        recurra_class: recurra's.
        added: the attributes of an instance that recurra's class has and torch.nn's has not.
        dropped: the other way round.
    """

    torch_class: ClassVar[type[nn.Module]]
    recurra_class: ClassVar[type[nn.Module]]
    added: ClassVar[tuple[str, ...]]
    dropped: ClassVar[tuple[str, ...]] = ()

    # torch.nn.RNNBase's own ways of moving and copying are for its list of weights, which recurra has not.
    __setstate__ = nn.Module.__setstate__

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __prepare_scriptable__(self) -> nn.Module:
        """For torch.jit.script, which compiles torch.nn's classes alone: the module is restored."""
        return self._restored()

    def _restored(self) -> nn.Module:
        from recurra.nn.acceleration.accelerate import restore

        return restore(self)

    def _reconfigure(self, name: str, value: object) -> None:
        """Torch.nn's modules follow such a change: so this one becomes torch.nn's again."""
        _logger.warning(
            "%s of an accelerated %s was changed to %r: torch runs it until recurra.accelerate is called again",
            name,
            self.torch_class.__name__,
            value,
        )
        setattr(self._restored(), name, value)

    def extra_repr(self) -> str:
        """As torch.nn's."""
        shown: str = self.torch_class.extra_repr(self)
        return shown

    def _on_torch(self, x: Any, state: Any) -> Any:
        """A call of torch.nn's; under torch.fx.symbolic_trace one node, as of torch.nn's own modules."""
        if isinstance(x, fx.Proxy):
            tracer: Any = x.tracer
            return tracer.create_proxy("call_module", tracer.path_of_module(self), (x, state), {})
        return self.torch_class.forward(self, x, state)


class _Layer(Accelerated, dropins._DropIn):
    added = ("cell", "options", "checkpoint", "_scans", "_calls")
    dropped = ("_flat_weights", "_flat_weight_refs")

    # torch.onnx.export hands a value for every parameter that has a default on, by position.
    def forward(self, input: Any, hx: Any = None, **recurras: Any) -> tuple[Any, ...]:  # type: ignore[override]
        """As of recurra's layer: ``reset`` and ``return_trace`` by name."""
        return super().forward(input, hx, **recurras)

    def _checked_call(self, x: Any, state: object, reset: Tensor | None, return_trace: bool) -> tuple[Any, ...]:
        if reset is None and not return_trace and not _runs_on_recurra(x):
            result: tuple[Any, ...] = self._on_torch(x, state)
            return result
        return super()._checked_call(x, state, reset, return_trace)

    def _weights(self) -> list[list[Tensor]]:
        names = self._flat_weights_names
        parametrized = [name for name in names if is_parametrized(self, name)]
        # A parametrisation that draws numbers, or has a state, must be asked as often as torch.nn asks: twice for each
        # weight, in their order, and twice before for the first that has changed since the last call.
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
        """What torch.nn's layer does on a GPU; nothing elsewhere."""
        first = getattr(self, self._flat_weights_names[0], None)
        if first is not None and first.is_cuda:
            nn.RNNBase.flatten_parameters(self)  # type: ignore[arg-type]


class _Cell(Accelerated, dropins._DropInCell):
    added = ("cell", "options", "_scan", "_calls", "_names")

    def _checked_call(self, x: Any, state: Any) -> Any:
        if not _runs_on_recurra(x):
            return self._on_torch(x, state)
        return super()._checked_call(x, state)


class RNN(_Layer, dropins.RNN, nn.RNN):  # type: ignore[misc]
    """torch.nn.RNN, run by recurra."""

    torch_class = nn.RNN
    recurra_class = dropins.RNN


class LSTM(_Layer, dropins.LSTM, nn.LSTM):  # type: ignore[misc]
    """torch.nn.LSTM, run by recurra."""

    torch_class = nn.LSTM
    recurra_class = dropins.LSTM


class GRU(_Layer, dropins.GRU, nn.GRU):  # type: ignore[misc]
    """torch.nn.GRU, run by recurra."""

    torch_class = nn.GRU
    recurra_class = dropins.GRU


class RNNCell(_Cell, dropins.RNNCell, nn.RNNCell):
    """torch.nn.RNNCell, run by recurra."""

    torch_class = nn.RNNCell
    recurra_class = dropins.RNNCell


class LSTMCell(_Cell, dropins.LSTMCell, nn.LSTMCell):
    """torch.nn.LSTMCell, run by recurra."""

    torch_class = nn.LSTMCell
    recurra_class = dropins.LSTMCell


class GRUCell(_Cell, dropins.GRUCell, nn.GRUCell):
    """torch.nn.GRUCell, run by recurra."""

    torch_class = nn.GRUCell
    recurra_class = dropins.GRUCell
