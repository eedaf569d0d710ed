"""The first and the last states of a layer, as users give and get them, and as its scans take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.mistakes import address
from recurra.model.arrangement import Arrangement
from recurra.nn.checks import check_state, check_states, state_label
from recurra.nn.running.scan import Scan
from recurra.nn.weights import weight_of

OfScans = Tensor | list[Tensor]
"""A state's values, (batch, size), by the number of the scan; a tensor where all have one size."""


def zero_states(arrangement: Arrangement, scans: Sequence[Scan], x: Tensor, batch: int) -> list[OfScans]:
    """Zeros for each state, in the dtype and on the device of x."""
    if arrangement.by_layer:
        return [
            [x.new_zeros((batch, size)) for size in sizes]
            for sizes in zip(*(scan.state_sizes for scan in scans), strict=True)
        ]
    return [x.new_zeros((len(scans), batch, size)) for size in scans[0].state_sizes]


def learned_states(module: Any, names: Sequence[Sequence[str]], by_layer: bool, batch: int) -> list[OfScans]:
    """The learned first values of each state, the same for each sequence.

    Args:
        module: the layer.
        names: for each state, the names of its parameters by the number of the scan.
        by_layer: whether the sizes of a state differ between layers.
        batch: the number of sequences.
    """
    found = [[weight_of(module, name) for name in of_state] for of_state in names]
    if by_layer:
        return [[value.expand(batch, -1) for value in of_state] for of_state in found]
    return [torch.stack(of_state).expand(-1, batch, -1) for of_state in found]


def learned_for(x: Any, module: Any) -> Any:
    """The learned states for an input, as a caller would give them; None where a checked call finds what x is."""
    if not isinstance(x, Tensor) or x.dim() not in (2, 3):
        return None
    batch, directions = 1 if x.dim() == 2 else x.shape[0 if module.batch_first else 1], module._directions
    states = learned_states(module, module._initial_names, module._arrangement.by_layer, batch)
    given: list[Any] = [
        (state.squeeze(1) if x.dim() == 2 else state)
        if isinstance(state, Tensor)
        else tuple(torch.stack(list(state[begin : begin + directions])) for begin in range(0, len(state), directions))
        for state in states
    ]
    return tuple(given) if len(given) > 1 else given[0]


def flattened(states: Sequence[OfScans]) -> list[Tensor]:
    """The tensors of all states."""
    return [value for state in states for value in ([state] if isinstance(state, Tensor) else state)]


@dataclass(frozen=True)
class ExpectedStates:
    """The states that a layer takes.

    Attributes:
        kind: the layer's class name.
        names: the states' names, such as ``h_0``.
        arrangement: the layer's arrangement.
        sizes: for each layer, the features of each state.
        proj_size: the layer's.
    """

    kind: str
    names: Sequence[str]
    arrangement: Arrangement
    sizes: Sequence[Sequence[int]]
    proj_size: int

    def check(self, given: object, x: Tensor, batch: int | None) -> list[list[Tensor]]:
        """Check the states that a caller gives, and list their tensors: of each state one, or one for each layer.

        Args:
            given: the argument.
            x: the input, whose dtype and device states must have.
            batch: the number of sequences; None for unbatched states.
        """
        arranged = self.arrangement
        count = ("num_layers" + " * 2" * arranged.bidirectional, arranged.count)
        if arranged.by_layer:
            count = ("directions", arranged.directions)
        sequences = [] if batch is None else [("batch", batch)]
        found = []
        for position, state in enumerate(_by_state(self.kind, self.names, given, arranged)):
            name = self.names[position]
            levels = _by_layer(self.kind, name, state, arranged) if arranged.by_layer else [state]
            for layer, level in enumerate(levels):
                size = self.sizes[layer][position]
                label = state_label(size, arranged.hidden_sizes[layer], self.proj_size if position == 0 else 0)
                own = f"{name}[{layer}]" if arranged.by_layer else name
                check_state(self.kind, own, level, (count, *sequences, (label, size)), x)
            found.append(levels)
        return found


def given_states(
    module: Any, scans: Sequence[Scan], given: object, x: Tensor, batch: int | None, rows_in: Callable[[Tensor], Tensor]
) -> list[OfScans]:
    """The states that a caller gives, checked, in the order of the rows.

    Args:
        module: the layer.
        scans: its scans.
        given: the argument.
        x: the input, whose dtype and device states must have.
        batch: the number of sequences; None for unbatched states.
        rows_in: brings values with the batch in dimension 1 into the order of the rows.
    """
    arranged = module._arrangement
    names = [f"{state.name}_0" for state in module.program.states]
    sizes = [scan.state_sizes for scan in scans[:: arranged.directions]]
    expected = ExpectedStates(type(module).__name__, names, arranged, sizes, module.proj_size)
    states: list[OfScans] = []
    for levels in expected.check(given, x, batch):
        values = [level.unsqueeze(1) if batch is None else rows_in(level) for level in levels]
        states.append([value for level in values for value in level.unbind(0)] if arranged.by_layer else values[0])
    return states


def _by_state(kind: str, names: Sequence[str], given: Any, arrangement: Arrangement) -> list[Any]:
    """The argument as a list of states."""
    if len(names) == 1 and arrangement.by_layer:
        return [given]
    return check_states(kind, names, given)


def _by_layer(kind: str, name: str, state: Any, arrangement: Arrangement) -> list[Any]:
    """A state's tensors, one for each layer."""
    count = len(arrangement.hidden_sizes)
    if isinstance(state, (tuple, list)) and len(state) == count:
        return list(state)
    got = f"{len(state)}" if isinstance(state, (tuple, list)) else f"a {type(state).__name__}"
    raise (RuntimeError if isinstance(state, (tuple, list)) else TypeError)(
        f"{kind} {name} must be a tuple of {count} tensors, one for each layer, as hidden_size is "
        f"{list(arrangement.hidden_sizes)}; got {got} {address('h0-shape')}"
    )


def last_states(
    arrangement: Arrangement, last: Sequence[OfScans], rows_out: Callable[[Tensor], Tensor]
) -> tuple[Any, ...] | Any:
    """The last states as users get them.

    Args:
        arrangement: the layer's arrangement.
        last: each state's values by the number of the scan, in the order of the rows.
        rows_out: brings values with the batch in dimension 1 into the caller's order and layout.

    Returns:
        A single state by itself, several as a tuple; a state is a tensor, or a tuple of a tensor for each layer.
    """
    states: list[Tensor | tuple[Tensor, ...]] = []
    for values in last:
        if isinstance(values, Tensor):
            states.append(rows_out(values))
        elif arrangement.by_layer:
            d = arrangement.directions
            levels = [torch.stack(values[begin : begin + d]) for begin in range(0, len(values), d)]
            states.append(tuple(map(rows_out, levels)))
        else:
            states.append(rows_out(torch.stack(values)))
    return tuple(states) if len(states) > 1 else states[0]
