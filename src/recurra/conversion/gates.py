"""A cell's parameters from weights whose gates come in another order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recurra.conversion.arrays import Array, Item
from recurra.equations import Cell
from recurra.errors import RecurraError
from recurra.model.layouts import SEPARATE, STACKED, TORCH, TORCH_CELLS, GateLayout, LibraryLayout
from recurra.program import Program


@dataclass(frozen=True, eq=False)
class Stacked:
    """The weights of a layer in one direction, all gates stacked, in the order of their library.

    Attributes:
        gates: the gates' letters in this order: n of an RNN; r, z, n of a GRU; i, f, g, o of an LSTM.
        w: (gates * hidden, input).
        r: (gates * hidden, hidden).
        w_bias: (gates * hidden,), added to x @ w.T; None without biases.
        r_bias: (gates * hidden,), added to h @ r.T; None where one bias serves both.
        p: the peephole weights of each gate, (hidden,), which multiply the cell state.
    """

    gates: str
    w: Array
    r: Array
    w_bias: Array | None
    r_bias: Array | None
    p: Mapping[str, Array]

    def of(self, gates: str, values: Array) -> Array:
        """The rows of ``values`` that belong to these gates, in the order of ``gates``."""
        blocks = dict(zip(self.gates, np.split(values, len(self.gates)), strict=True))
        return np.concatenate([blocks[gate] for gate in gates])


def layout_of(program: Program) -> GateLayout:
    """The layout of a program that has all its biases.

    Raises:
        RecurraError: the program has parameters of other names.
    """
    layout = GateLayout.of(program)
    if layout is None:
        names = ", ".join(parameter.name for parameter in program.parameters)
        raise RecurraError(
            f"cell {program.name!r} has the parameters {names}: into which weights of another gate order "
            f"cannot be put, only into {', '.join(STACKED)}, or {', '.join(SEPARATE[:3])} and a letter for each gate"
        )
    return layout


def cell_of(gates: int, item: Item) -> Cell:
    """torch's cell with so many gates.

    Raises:
        RecurraError: there is none; the message names the item.
    """
    kind = TORCH.kind(gates)
    if kind is None:
        raise RecurraError(f"{item.label} of shape {item.shape} has {gates} gates; an RNN has 1, a GRU 3, an LSTM 4")
    return TORCH_CELLS[kind]


def letters(library: LibraryLayout, gates: int, item: Item, layout: GateLayout) -> str:
    """The letters of so many gates, in a library's order.

    Args:
        library: the layout of the library that the weights come from.
        gates: the number of gates.
        item: the array with the gates, for messages.
        layout: the cell's layout, which must have the same gates.

    Raises:
        RecurraError: the cell has other gates.
    """
    ordered = library.gates.get(library.kind(gates) or "", "")
    if sorted(ordered) != sorted(layout.gates):
        raise RecurraError(
            f"{item.label} of shape {item.shape} has {gates} gates; the cell has {len(layout.gates)}: "
            + ", ".join(layout.gates)
        )
    return ordered


def parameters(stacked: Stacked, program: Program, layout: GateLayout) -> dict[str, Array]:
    """A cell's parameters, filled with stacked weights; where these have no biases, neither has the program.

    Raises:
        RecurraError: the cell has peepholes and the weights have none, or the other way round.
    """
    names = [parameter.name for parameter in program.parameters]
    peepholes = {name[2:] for name in names if name.startswith("p_")}
    if peepholes != set(stacked.p):
        raise RecurraError(
            f"cell {program.name!r} has peepholes of {', '.join(sorted(peepholes)) or 'no gate'}, the weights of "
            f"{', '.join(sorted(stacked.p)) or 'no gate'}; cell='peephole_lstm' has those of i, f, o"
        )
    if layout.is_stacked:
        return {name: _STACKS[name](stacked, layout.gates) for name in names}
    return {name: np.ascontiguousarray(_SEPARATE[name[:2]](stacked, name[2:])) for name in names}


def _bias(stacked: Stacked) -> Array:
    assert stacked.w_bias is not None, "a program without biases does not ask"
    return stacked.w_bias


def _bias_hh(stacked: Stacked, gates: str) -> Array:
    return np.zeros_like(_bias(stacked)) if stacked.r_bias is None else stacked.of(gates, stacked.r_bias)


def _sum(stacked: Stacked) -> Array:
    return _bias(stacked) if stacked.r_bias is None else _bias(stacked) + stacked.r_bias


_STACKS: Mapping[str, Callable[[Stacked, str], Array]] = {
    "weight_ih": lambda stacked, gates: stacked.of(gates, stacked.w),
    "weight_hh": lambda stacked, gates: stacked.of(gates, stacked.r),
    "bias_ih": lambda stacked, gates: stacked.of(gates, _bias(stacked)),
    "bias_hh": _bias_hh,
}
_SEPARATE: Mapping[str, Callable[[Stacked, str], Array]] = {
    "W_": lambda stacked, gate: stacked.of(gate, stacked.w).T,
    "U_": lambda stacked, gate: stacked.of(gate, stacked.r).T,
    "b_": lambda stacked, gate: stacked.of(gate, _sum(stacked)),
    "p_": lambda stacked, gate: stacked.p[gate],
}
