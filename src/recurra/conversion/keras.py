"""Keras' layout: kernels are (features, gates * units); an LSTM's gates are i f c o, a GRU's are z r h."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.cells import gru, gru_reset_before
from recurra.conversion.arrays import Array, Item, RoleArrays
from recurra.conversion.gates import Stacked, cell_of, letters
from recurra.equations import Cell
from recurra.errors import RecurraError
from recurra.model.layouts import KERAS, GateLayout

_HINT = "that looks like torch's (gates, features): order='torch', with torch's names for the arrays"


def _gates(scan: RoleArrays) -> int:
    item = scan["recurrent_kernel"]
    if len(item.shape) == 2 and all(item.shape):
        units, columns = item.shape
        if columns % units == 0:
            return columns // units
        if units % columns == 0:
            raise item.mismatch("(units, gates*units)", _HINT)
    raise item.mismatch("(units, gates*units)")


def cell(scan: RoleArrays) -> Cell:
    """The cell of a layer's arrays, told by the number of gates, and for a GRU by the bias.

    Raises:
        RecurraError: the shapes fit no layer, or fit several cells.
    """
    gates = _gates(scan)
    if gates != 3:
        return cell_of(gates, scan["recurrent_kernel"])
    if "bias" not in scan:
        raise RecurraError("a GRU without bias: say cell='gru' of reset_after=True, cell='gru_reset_before' of False")
    return gru if len(scan["bias"].shape) == 2 else gru_reset_before


def stacked(scans: Sequence[RoleArrays], layout: GateLayout) -> list[Stacked]:
    """The stacked weights of each direction.

    Raises:
        RecurraError: a shape does not fit the cell, or differs between the directions.
    """
    for scan in scans[1:]:
        for role, item in scan.items():
            if item.shape != scans[0][role].shape:
                raise item.mismatch(f"{scans[0][role].shape}, as {scans[0][role].label}")
    return [_stacked(scan, layout) for scan in scans]


def _stacked(scan: RoleArrays, layout: GateLayout) -> Stacked:
    gates, kernel, recurrent = _gates(scan), scan["kernel"], scan["recurrent_kernel"]
    order = letters(KERAS, gates, recurrent, layout)
    columns = recurrent.shape[1]
    if len(kernel.shape) != 2 or kernel.shape[1] != columns:
        raise kernel.mismatch(f"(input, {gates}*units={columns})", _HINT if kernel.shape[:1] == (columns,) else "")
    w_bias, r_bias = _biases(scan["bias"], columns, layout) if "bias" in scan else (None, None)
    return Stacked(order, KERAS.rows(kernel.array), KERAS.rows(recurrent.array), w_bias, r_bias, {})


def _biases(bias: Item, columns: int, layout: GateLayout) -> tuple[Array, Array | None]:
    """One bias, or two for a GRU whose reset gate multiplies the state's product and its bias."""
    one, two = (columns,), (2, columns)
    if layout.is_stacked and len(layout.gates) == 3:
        if bias.shape != two:
            hint = "that is of reset_after=False: cell='gru_reset_before'"
            raise bias.mismatch(f"(2, 3*units={columns})", hint if bias.shape == one else "")
        return bias.array[0], bias.array[1]
    if bias.shape != one:
        hint = "that is of reset_after=True: cell='gru'"
        raise bias.mismatch(f"({len(layout.gates)}*units={columns},)", hint if bias.shape == two else "")
    return bias.array, None
