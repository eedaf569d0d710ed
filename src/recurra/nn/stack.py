"""``Stack``: parts one after the other, which takes and returns the states of the recurrent ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from recurra.nn.fixed import FixedConfiguration, check_compute
from recurra.nn.recurrent import Recurrent
from recurra.nn.recurrent_cell import RecurrentCell
from recurra.program import Products

_NONE: Mapping[str, Any] = MappingProxyType({})


class Stack(nn.Sequential):
    """A torch.nn.Sequential of parts of which some are recurrent: ``output, state = stack(x, state)``.

    Each part gets the output of the one before. Recurrent parts are layers and cells of recurra and of torch.nn, and
    each Sequential or Stack that holds some. A cell hands on its first state, or its output where it has one.

    ``state`` is the state of the one recurrent part, in the form of that part. With several recurrent parts it is a
    tuple of their states, in order; with none it is an empty tuple. None stands for the default, zeros.

    Args:
        *parts: modules, or one dictionary of modules by name, as torch.nn.Sequential takes them.
        compute: the operands of matrix products in recurra's layers and cells inside that were made without a
            ``compute`` of their own: see ``Recurrent``. Default None.

    Raises:
        ValueError: ``compute`` is no precision.
    """

    def __init__(self, *parts: Any, compute: Products | None = None) -> None:
        check_compute("Stack", compute)
        super().__init__(*parts)
        if compute is not None:
            for part in self.modules():
                if isinstance(part, FixedConfiguration) and part.compute is None:
                    part.compute = compute

    def forward(self, input: Any, state: Any = None, **inputs: Any) -> tuple[Any, Any]:
        """Run all parts.

        Args:
            input: the input of the first part.
            state: the state of the recurrent parts. Default zeros.
            **inputs: inputs of cells beside the first one by name, ``stack(x, dt=dt)``; each recurrent part gets its
                own, as ``Recurrent`` takes them.

        Returns:
            the last part's output, and the new state.

        Raises:
            ValueError: the number of states is not the number of recurrent parts.
            TypeError: no recurrent part has an input of one of the names.
        """
        unknown = [name for name in inputs if name not in _further_inputs(self)]
        if unknown:
            raise TypeError(f"no cell of the Stack has an input {unknown[0]!r} beside the first one")
        return run_parts(self, input, state, inputs)


def is_recurrent(module: nn.Module) -> bool:
    """Whether a module takes a state and returns a new one."""
    if isinstance(module, nn.Sequential):
        return any(map(is_recurrent, module))
    return isinstance(module, (Recurrent, RecurrentCell, nn.RNNBase, nn.RNNCellBase))


def _further_inputs(module: nn.Module) -> set[str]:
    """The names of the inputs beside the first one that the recurrent parts of a module take."""
    parts = [part for part in module.modules() if isinstance(part, (Recurrent, RecurrentCell))]
    return {each.name for part in parts for each in part._further}


def _taken(part: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the inputs that a part takes."""
    return {name: inputs[name] for name in _further_inputs(part) if name in inputs} if inputs else {}


def run_parts(
    parts: Iterable[nn.Module], x: Any, state: Any = None, inputs: Mapping[str, Any] = _NONE
) -> tuple[Any, Any]:
    """Run parts one after the other, as a ``Stack`` of them would.

    Raises:
        ValueError: the number of states is not the number of recurrent parts.
    """
    parts = list(parts)
    count = sum(map(is_recurrent, parts))
    if state is None:
        states = [None] * count
    elif count == 1:
        states = [state]
    else:
        states = list(state)
        if len(states) != count:
            raise ValueError(f"Stack has {count} recurrent parts: state must hold one for each; got {len(states)}")
    new: list[Any] = []
    for part in parts:
        if isinstance(part, nn.Sequential):
            given = states[len(new)] if is_recurrent(part) else ()
            own = _taken(part, inputs)
            x, after = part(x, given, **own) if isinstance(part, Stack) else run_parts(part, x, given, own)
        elif is_recurrent(part):
            x, after = _run(part, x, states[len(new)], _taken(part, inputs))
        else:
            x = part(x)
        if is_recurrent(part):
            new.append(after)
    return x, new[0] if count == 1 else tuple(new)


def _run(part: nn.Module, x: Any, state: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any]:
    result = part(x, state, **inputs)
    is_cell = isinstance(part, nn.RNNCellBase) or (isinstance(part, RecurrentCell) and part.cell.output is None)
    if not is_cell:
        return result[0], result[1]
    return result if isinstance(result, Tensor) else result[0], result
