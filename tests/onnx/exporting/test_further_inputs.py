"""Graphs of cells with sizes of their own, several inputs a step and histories, against onnxruntime."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import recurra
from recurra import concat, delay, exp, softplus, tanh
from recurra.nn import Recurrent, RecurrentCell, Stack

F, H, T, B = 3, 4, 5, 2


@recurra.cell(inputs=("x", "dt", "mask"), output="y", sizes={"mask": 2, "d": "hidden/2", "y": 3})
def everything(x, dt, mask, h, *, D, M, W, w, b, C):
    d = tanh(x @ D + mask @ M + b)
    h = exp(-dt * softplus(w)) * tanh(concat(d, h, delay(h, 2), delay(d)) @ W)
    y = h @ C
    return h


MODELS = {
    "layer": lambda: Recurrent(everything, F, H),
    "two layers in two directions": lambda: Recurrent(everything, F, H, 2, bidirectional=True),
    "batch first": lambda: Recurrent(everything, F, H, batch_first=True),
    "inside": lambda: Stack(nn.Linear(F, 4), Recurrent(everything, 4, H), nn.ReLU()),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_against_onnxruntime(make, tmp_path):
    torch.manual_seed(0)
    module = make().eval()
    recurra.onnx.export(module, tmp_path / "model.onnx")
    x, dt, mask = torch.randn(T, B, F), torch.rand(T, B, 1), torch.rand(T, B, 2)
    if getattr(module, "batch_first", False):
        x, dt, mask = (each.transpose(0, 1) for each in (x, dt, mask))
    with torch.no_grad():
        output, states = module(x, dt=dt, mask=mask)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    shapes = {each.name: each.shape for each in session.get_inputs()}
    rows = ["batch", "seq_len"] if getattr(module, "batch_first", False) else ["seq_len", "batch"]
    assert (shapes["dt"], shapes["mask"]) == ([*rows, 1], [*rows, 2])
    given = {"x": x.numpy(), "dt": dt.numpy(), "mask": mask.numpy()}
    results = session.run(None, given)
    for mine, other in zip(results, [output, *states], strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=0, atol=1e-6)


def test_one_step(tmp_path):
    cell = RecurrentCell(everything, F, H)
    recurra.onnx.export(cell, tmp_path / "cell.onnx")
    x, dt, mask = torch.randn(B, F), torch.rand(B, 1), torch.rand(B, 2)
    with torch.no_grad():
        output, states = cell(x, dt=dt, mask=mask)
    session = onnxruntime.InferenceSession(tmp_path / "cell.onnx", providers=["CPUExecutionProvider"])
    given = {"x": x.numpy(), "dt": dt.numpy(), "mask": mask.numpy()}
    names = [each.name for each in session.get_overridable_initializers()]
    assert names == ["h_0", "h_history_0", "d_history_0"]
    results = session.run(None, given)
    for mine, other in zip(results, [output, *states], strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=0, atol=1e-6)
