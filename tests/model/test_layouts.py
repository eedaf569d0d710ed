"""The table of gate layouts, and the layouts of cells."""

import numpy as np
import pytest

from recurra import cells
from recurra.compiler import trace
from recurra.model.layouts import KERAS, ONNX, TORCH, TORCH_CELLS, GateLayout


@pytest.mark.parametrize("layout", [TORCH, KERAS, ONNX])
def test_every_library_has_the_same_gates(layout):
    assert {kind: sorted(gates) for kind, gates in layout.gates.items()} == {
        kind: sorted(gates) for kind, gates in TORCH.gates.items()
    }
    for kind, gates in layout.gates.items():
        assert layout.kind(len(gates)) == kind
    assert layout.kind(2) is None


def test_torchs_cells_have_torchs_gates():
    for kind, cell in TORCH_CELLS.items():
        assert GateLayout.of(trace(cell)) == GateLayout(TORCH.gates[kind], True)


def test_cells_with_a_matrix_for_each_gate():
    assert GateLayout.of(trace(cells.peephole_lstm)) == GateLayout("ifgo", False)
    assert GateLayout.of(trace(cells.gru_reset_before)) == GateLayout("rzn", False)
    assert GateLayout.of(trace(cells.layer_norm_lstm)) is None


def test_matrices_lie_with_the_gates_in_rows():
    matrix = np.zeros((8, 3))
    assert TORCH.rows(matrix).shape == ONNX.rows(matrix).shape == (8, 3)
    assert KERAS.rows(matrix).shape == (3, 8)
