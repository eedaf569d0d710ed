"""``Stack``: parts one after the other, which takes and returns the states of the recurrent ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from recurra.nn.recurrent import Recurrent
from recurra.nn.recurrent_cell import RecurrentCell


class Stack(nn.Sequential):
    """A torch.nn.Sequential of parts of which some are recurrent: ``output, state = stack(x, state)``.

    Each part gets the output of the one before. Recurrent parts are layers and cells of recurra and of torch.nn, and
    each Sequential or Stack that holds some. A cell hands on its first state, or its output where it has one.

    ``state`` is the state of the one recurrent part, in the form of that part. With several recurrent parts it is a
    tuple of their states, in order; with none it is an empty tuple. None stands for the default, zeros.

    Args:
        *parts: modules, or one dictionary of modules by name, as torch.nn.Sequential takes them.
    """

    def forward(self, input: Any, state: Any = None) -> tuple[Any, Any]:
        """Run all parts.

        Args:
            input: the input of the first part.
            state: the state of the recurrent parts. Default zeros.

        Returns:
            the last part's output, and the new state.

        Raises:
            ValueError: the number of states is not the number of recurrent parts.
        """
        return run_parts(self, input, state)


def is_recurrent(module: nn.Module) -> bool:
    """Whether a module takes a state and returns a new one."""
    if isinstance(module, nn.Sequential):
        return any(map(is_recurrent, module))
    return isinstance(module, (Recurrent, RecurrentCell, nn.RNNBase, nn.RNNCellBase))


def run_parts(parts: Iterable[nn.Module], x: Any, state: Any = None) -> tuple[Any, Any]:
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
            x, after = part(x, given) if isinstance(part, Stack) else run_parts(part, x, given)
        elif is_recurrent(part):
            x, after = _run(part, x, states[len(new)])
        else:
            x = part(x)
        if is_recurrent(part):
            new.append(after)
    return x, new[0] if count == 1 else tuple(new)


def _run(part: nn.Module, x: Any, state: Any) -> tuple[Any, Any]:
    result = part(x, state)
    is_cell = isinstance(part, nn.RNNCellBase) or (isinstance(part, RecurrentCell) and part.cell.output is None)
    if not is_cell:
        return result[0], result[1]
    return result if isinstance(result, Tensor) else result[0], result
