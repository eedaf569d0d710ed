"""Weights gate by gate: in whatever order they come, a cell gets its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recurra.cells import gru, lstm, rnn
from recurra.conversion.arrays import Array, Item
from recurra.equations import Cell
from recurra.errors import RecurraError
from recurra.program import Program


@dataclass(frozen=True, eq=False)
class Stacked:
    """The weights of a scan, all gates one below the other, in the order of whoever made them.

    Attributes:
        gates: their letters in this order: n of an RNN; r, z, n of a GRU; i, f, g, o of an LSTM.
        w: (gates * hidden, input).
        r: (gates * hidden, hidden).
        w_bias: (gates * hidden,), added to x @ w.T; None without biases.
        r_bias: the same, added to h @ r.T; None where one bias is for both.
        p: by gate, (hidden,): what the cell state is multiplied by.
    """

    gates: str
    w: Array
    r: Array
    w_bias: Array | None
    r_bias: Array | None
    p: Mapping[str, Array]

    def of(self, gates: str, values: Array) -> Array:
        """What ``values`` have for these gates, in their order."""
        blocks = dict(zip(self.gates, np.split(values, len(self.gates)), strict=True))
        return np.concatenate([blocks[gate] for gate in gates])


_STACKED = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_GATES = {1: "n", 3: "rzn", 4: "ifgo"}  # of the cells that have these parameters
_CELLS = {1: rnn, 3: gru, 4: lstm}


@dataclass(frozen=True)
class Form:
    """How a cell has its weights.

    Attributes:
        gates: the letters of its gates, in its order.
        is_stacked: torch's ``weight_ih``, ``weight_hh`` and two biases; else each gate has its own ``W_``, ``U_`` and
            ``b_``, perhaps ``p_``, with its letter.
    """

    gates: str
    is_stacked: bool

    @staticmethod
    def of(program: Program) -> Form:
        """The form of a program that has all its biases.

        Raises:
            RecurraError: it is neither.
        """
        shapes = {parameter.name: parameter.shape for parameter in program.parameters}
        if sorted(shapes) == sorted(_STACKED):
            gates = _GATES.get(int(shapes["weight_ih"][0].factor("hidden")))
            if gates is not None:
                return Form(gates, True)
        letters = "".join(name[2:] for name in shapes if name.startswith("W_"))
        if letters and all(name[:2] in _SEPARATE and name[2:] in set(letters) for name in shapes):
            return Form(letters, False)
        raise RecurraError(
            f"cell {program.name!r} has the parameters {', '.join(shapes)}: into which weights of another gate order "
            f"cannot be put, only into {', '.join(_STACKED)}, or W_, U_, b_ and a letter for each gate"
        )


def cell_of(gates: int, item: Item) -> Cell:
    """The cell of torch's with so many gates.

    Raises:
        RecurraError: there is none; names the item that has them.
    """
    if gates not in _CELLS:
        raise RecurraError(f"{item.label} of shape {item.shape} has {gates} gates; an RNN has 1, a GRU 3, an LSTM 4")
    return _CELLS[gates]


def letters(order: Mapping[int, str], gates: int, item: Item, form: Form) -> str:
    """The letters of so many gates.

    Args:
        order: letters by number of gates.
        gates: how many there are.
        item: that has them.
        form: of the cell, which must have the same.

    Raises:
        RecurraError: it has others.
    """
    if sorted(order.get(gates, "")) != sorted(form.gates):
        raise RecurraError(
            f"{item.label} of shape {item.shape} has {gates} gates; the cell has {len(form.gates)}: "
            + ", ".join(form.gates)
        )
    return order[gates]


def parameters(stacked: Stacked, program: Program, form: Form) -> dict[str, Array]:
    """A cell's parameters, with the weights of a scan. The program is without biases where they are.

    Raises:
        RecurraError: the cell has peepholes and the scan has none, or the other way round.
    """
    names = [parameter.name for parameter in program.parameters]
    wanted = {name[2:] for name in names if name.startswith("p_")}
    if wanted != set(stacked.p):
        raise RecurraError(
            f"cell {program.name!r} has peepholes of {', '.join(sorted(wanted)) or 'no gate'}, the weights of "
            f"{', '.join(sorted(stacked.p)) or 'no gate'}; cell='peephole_lstm' has those of i, f, o"
        )
    if form.is_stacked:
        return {name: _STACKS[name](stacked, form.gates) for name in names}
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
