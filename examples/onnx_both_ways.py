"""A cell of one's own as an ONNX file that onnxruntime runs, and an ONNX file from elsewhere run by recurra.

pip install "recurra[torch,onnx]"; python examples/onnx_both_ways.py
"""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

import recurra
from recurra import sigmoid, tanh

STEPS, BATCH = 30, 2


@recurra.cell
def gated(x, h, *, W, U, b, W_z, U_z, b_z):
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    h = z * h + (1 - z) * tanh(x @ W + h @ U + b)
    return h


def run_in_onnxruntime(path, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # without warnings about inputs with defaults: the first states
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


def export(path):
    """Write a model of recurra's as ONNX, and compare onnxruntime's numbers with its own."""
    torch.manual_seed(0)
    model = recurra.nn.Stack(recurra.nn.Recurrent(gated, 3, 16), torch.nn.Linear(16, 2))
    recurra.onnx.export(model, path)
    x = torch.randn(STEPS, BATCH, 3)
    with torch.no_grad():
        expected, _ = model(x)
    found, *_ = run_in_onnxruntime(path, x.numpy())
    difference = float(np.abs(found - expected.numpy()).max())
    nodes = Counter(node.op_type for node in onnx.load(path).graph.node)
    print(f"exported: {nodes['Scan']} Scan among {nodes.total()} nodes; onnxruntime differs by {difference:.1e}")
    assert difference < 1e-5


def write_an_lstm(path):
    """Write an ONNX file without recurra: one LSTM node in both directions, for any number of steps."""
    random, hidden = np.random.default_rng(0), 8
    weights = {"W": (2, 4 * hidden, 3), "R": (2, 4 * hidden, hidden), "B": (2, 8 * hidden)}
    arrays = [
        numpy_helper.from_array(random.uniform(-0.4, 0.4, shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    node = helper.make_node(
        "LSTM", ["x", "W", "R", "B"], ["y", "h_n", "c_n"], hidden_size=hidden, direction="bidirectional"
    )
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["steps", "batch", 3])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "h_n", "c_n")]
    graph = helper.make_graph([node], "somebody's", inputs, outputs, arrays)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)


def load(path):
    """Run an ONNX file with numpy and recurra's kernels, and compare with onnxruntime."""
    write_an_lstm(path)
    model = recurra.onnx.load(path)
    x = np.random.default_rng(1).standard_normal((STEPS, BATCH, 3)).astype(np.float32)
    found, expected = model(x), run_in_onnxruntime(path, x)
    difference = max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))
    shapes = ", ".join(f"{each.name} {array.shape}" for each, array in zip(model.outputs, found, strict=True))
    print(f"loaded: {shapes}; onnxruntime differs by {difference:.1e}")
    assert difference < 1e-5


def main():
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder, "ours.onnx"))
        load(Path(folder, "theirs.onnx"))


if __name__ == "__main__":
    main()
