"""Encoders and decoders as one graph: onnxruntime computes what torch does."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import recurra
from recurra import cells
from recurra.errors import OnnxError
from recurra.nn import GRU, EncoderDecoder, Ensemble, Recurrent, Stack


def pair(cell, past=4, future=3, outputs=2, hidden=6, **options):
    torch.manual_seed(0)
    width = hidden * (2 if options.get("bidirectional") else 1)
    decoder = Stack(Recurrent(cell, future, hidden, **options), nn.Linear(width, outputs))
    return EncoderDecoder(Stack(nn.Linear(past, past), Recurrent(cell, past, hidden, **options)), decoder).eval()


def inputs(options, dtype=torch.float32):
    past, future = torch.randn(5, 2, 4, dtype=dtype), torch.randn(3, 2, 3, dtype=dtype)
    return (past.transpose(0, 1), future.transpose(0, 1)) if options.get("batch_first") else (past, future)


@pytest.mark.parametrize("cell", [cells.gru, cells.lstm, cells.mgu, cells.peephole_lstm], ids=lambda cell: cell.name)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "batch_first": True}, {"bidirectional": True}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_ensemble_is_one_graph(cell, options, dtype, tmp_path):
    module = Ensemble(pair(cell, **options), pair(cell, hidden=5, **options)).to(dtype)
    recurra.onnx.export(module, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    past, future = inputs(options, dtype)
    with torch.no_grad():
        expected = torch.stack(module(past, future)).numpy()
    feeds = {"past": past.contiguous().numpy(), "future": future.contiguous().numpy()}
    close = 1e-5 if dtype == torch.float32 else 1e-10
    np.testing.assert_allclose(session.run(None, feeds)[0], expected, rtol=close, atol=close)
    np.testing.assert_allclose(recurra.onnx.load(tmp_path / "m.onnx")(**feeds), expected, rtol=close, atol=close)


def test_one_pair_has_no_dimension_of_members(tmp_path):
    module = pair(cells.gru)
    recurra.onnx.export(module, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    shapes = {each.name: each.shape for each in (*session.get_inputs(), *session.get_outputs())}
    assert shapes == {
        "past": ["past_len", "batch", 4], "future": ["future_len", "batch", 3], "output": ["future_len", "batch", 2]
    }  # fmt: skip
    past, future = inputs({})
    found = session.run(None, {"past": past.numpy(), "future": future.numpy()})[0]
    np.testing.assert_allclose(found, module(past, future).detach().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "module",
    [
        Ensemble(GRU(2, 3), GRU(2, 3)),
        Ensemble(pair(cells.gru), GRU(4, 3)),
        Ensemble(pair(cells.gru), pair(cells.gru, past=5)),
        Ensemble(pair(cells.gru), pair(cells.gru, outputs=3)),
        EncoderDecoder(Stack(nn.Embedding(5, 4), GRU(4, 3)), GRU(4, 3)),
    ],
)
def test_other_models_are_no_graph(module, tmp_path):
    with pytest.raises(OnnxError, match="several models are one graph only as EncoderDecoders with the same numbers"):
        recurra.onnx.export(module, tmp_path / "m.onnx")
    with pytest.raises(OnnxError, match="lengths=True needs a model that runs by itself"):
        recurra.onnx.export(module, tmp_path / "m.onnx", lengths=True)
