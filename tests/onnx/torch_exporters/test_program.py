"""torch.onnx.export(dynamo=True): any length and batch, without a table of translations."""

import pytest
import torch

from recurra import cells
from recurra.nn import GRU, GRUCell, Recurrent
from tests.onnx.torch_exporters.checked import agree, operators

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Model(torch.nn.Module):
    """Nodes in two directions, a Scan with resets in two, one step of a cell."""

    def __init__(self):
        super().__init__()
        self.layers = GRU(3, 4, 2, bidirectional=True, batch_first=True)
        self.scan = Recurrent(cells.layer_norm_lstm, 8, 5, bidirectional=True)
        self.cell = GRUCell(10, 3)

    def forward(self, x, marks):
        output, state = self.layers(x)
        hidden, last = self.scan(output.transpose(0, 1), reset=marks)
        return hidden, state, last, self.cell(hidden[-1])


@pytest.mark.slow
def test_a_model(tmp_path):
    model = Model().eval()

    def call(steps, batch):
        return torch.randn(batch, steps, 3), torch.randn(steps, batch) > 0

    steps, batch = torch.export.Dim("steps", min=1), torch.export.Dim("batch", min=1)
    shapes = {"x": {0: batch, 1: steps}, "marks": {0: steps, 1: batch}}
    program = torch.export.export(model, call(5, 2), dynamic_shapes=shapes)
    torch.onnx.export(program, f=tmp_path / "m.onnx", dynamo=True, verbose=False)
    assert operators(tmp_path / "m.onnx") >= {"GRU", "Scan"}
    agree(model, tmp_path / "m.onnx", [call(5, 2), call(1, 1), call(9, 3)])
