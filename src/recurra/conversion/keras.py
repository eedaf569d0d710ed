"""Keras' layouts: kernels are (features, gates * units); an LSTM's gates are i f c o, a GRU's are z r h.

The arrays of CuDNNLSTM and CuDNNGRU have the same shapes, but for the bias (2 * gates * units,), and hold each gate's
matrix in cuDNN's order, (units, features).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    return gru if len(scan["bias"].shape) == 2 or _is_cudnn(scan) else gru_reset_before


def _is_cudnn(scan: RoleArrays) -> bool:
    """Whether the arrays are those of CuDNNLSTM or CuDNNGRU, which have two biases in one row."""
    return _gates(scan) > 1 and "bias" in scan and scan["bias"].shape == (2 * scan["recurrent_kernel"].shape[1],)


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
    if _is_cudnn(scan):
        if len(layout.gates) == 3 and not layout.is_stacked:
            raise scan["bias"].mismatch(f"(3*units={columns},)", "that is of CuDNNGRU, which resets after: cell='gru'")
        w, r = (_cudnn_rows(item.array, gates) for item in (kernel, recurrent))
        halves = np.split(scan["bias"].array, 2)
        return Stacked(order, w, r, halves[0], halves[1], {})
    w_bias, r_bias = _biases(scan["bias"], columns, layout) if "bias" in scan else (None, None)
    return Stacked(order, KERAS.rows(kernel.array), KERAS.rows(recurrent.array), w_bias, r_bias, {})


def _cudnn_rows(kernel: Array, gates: int) -> Array:
    """The rows (gates * units, features) of a kernel of cuDNN, whose gates lie side by side in memory of their own."""
    features, columns = kernel.shape
    blocks = (
        np.ascontiguousarray(gate).reshape(columns // gates, features) for gate in np.split(kernel, gates, axis=1)
    )
    return np.concatenate(list(blocks))


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
