"""ONNX' layout: W is (directions, gates * hidden, input); an LSTM's gates are i o f c, a GRU's are z r h."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.cells import peephole_lstm
from recurra.conversion.arrays import RoleArrays
from recurra.conversion.gates import Stacked, cell_of, letters
from recurra.equations import Cell
from recurra.errors import RecurraError
from recurra.model.layouts import ONNX, GateLayout


def _gates(scan: RoleArrays) -> int:
    item = scan["R"]
    if len(item.shape) != 3 or item.shape[0] not in (1, 2) or not all(item.shape) or item.shape[1] % item.shape[2]:
        raise item.mismatch("(directions, gates*hidden, hidden)")
    return item.shape[1] // item.shape[2]


def cell(scan: RoleArrays) -> Cell:
    """The cell of a node's arrays, told by the number of gates.

    Raises:
        RecurraError: the shapes fit no layer, or fit several cells.
    """
    gates = _gates(scan)
    if gates == 3:
        raise RecurraError(
            "a GRU: say cell='gru_reset_before' of linear_before_reset=0, which is ONNX' default, cell='gru' of 1"
        )
    return peephole_lstm if gates == 4 and "P" in scan else cell_of(gates, scan["R"])


def stacked(scans: Sequence[RoleArrays], layout: GateLayout) -> list[Stacked]:
    """The stacked weights of each direction; the same arrays hold both.

    Raises:
        RecurraError: a shape does not fit the cell.
    """
    [scan] = scans
    gates = _gates(scan)
    order = letters(ONNX, gates, scan["R"], layout)
    directions, rows, hidden = scan["R"].shape
    W = scan["W"]
    if len(W.shape) != 3 or W.shape[:2] != (directions, rows):
        raise W.mismatch(f"(directions={directions}, {gates}*hidden={rows}, input)")
    for role, factor in (("B", 2 * gates), ("P", len(ONNX.peepholes))):
        if role in scan and scan[role].shape != (directions, factor * hidden):
            raise scan[role].mismatch(f"(directions={directions}, {factor}*hidden={factor * hidden})")
    weights = []
    for direction in range(directions):
        w_bias, r_bias = np.split(scan["B"].array[direction], 2) if "B" in scan else (None, None)
        p = np.split(scan["P"].array[direction], len(ONNX.peepholes)) if "P" in scan else ()
        w, r = ONNX.rows(W.array[direction]), ONNX.rows(scan["R"].array[direction])
        weights.append(Stacked(order, w, r, w_bias, r_bias, dict(zip(ONNX.peepholes, p, strict=False))))
    return weights
