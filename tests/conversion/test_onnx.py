"""ONNX' layouts, compared with the standard's equations, and with runtimes where they are installed."""

import numpy as np
import pytest

from recurra.runtime import convert
from tests.conversion.weights import close, onnx_weights, sigmoid


def onnx_scan(cell, x, W, R, B, P=None):
    """The standard's equations, with the gates i o f c of an LSTM and z r h of a GRU."""
    hidden = R.shape[1]
    Wb, Rb = np.split(B, 2)
    h = c = np.zeros((x.shape[1], hidden))
    p_i, p_o, p_f = np.zeros((3, hidden)) if P is None else np.split(P, 3)
    outputs = []
    for x_t in x:
        a, b = x_t @ W.T + Wb, h @ R.T + Rb
        if cell == "rnn":
            h = np.tanh(a + b)
        elif "lstm" in cell:
            i, o, f, g = np.split(a + b, 4, -1)
            c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
            h = sigmoid(o + p_o * c) * np.tanh(c)
        else:
            (a_z, a_r, a_h), (b_z, b_r, b_h) = np.split(a, 3, -1), np.split(b, 3, -1)
            z, r = sigmoid(a_z + b_z), sigmoid(a_r + b_r)
            before = (r * h) @ R[2 * hidden :].T + Rb[2 * hidden :]
            h = (1 - z) * np.tanh(a_h + (r * b_h if cell == "gru" else before)) + z * h
        outputs.append(h)
    return np.stack(outputs)


@pytest.mark.parametrize("cell", ["rnn", "gru", "gru_reset_before", "lstm", "peephole_lstm"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_onnx(cell, directions, bias):
    gates = {"rnn": 1, "lstm": 4, "peephole_lstm": 4}.get(cell, 3)
    weights = onnx_weights(gates, directions)
    if cell == "peephole_lstm":
        weights["P"] = np.random.default_rng(5).standard_normal((directions, 12)).astype(np.float32)
    x = np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32)
    given = dict(weights)
    if not bias:
        weights["B"] = np.zeros_like(given.pop("B"))
    output, _ = convert(given, cell=cell if gates == 3 else None)(x)
    scans = [onnx_scan(cell, x, *(value[0] for value in weights.values()))]
    if directions == 2:
        scans.append(onnx_scan(cell, x[::-1], *(value[1] for value in weights.values()))[::-1])
    close(output, np.concatenate(scans, -1), 1e-6)


@pytest.mark.parametrize("cell", ["rnn", "gru", "gru_reset_before", "lstm"])
@pytest.mark.parametrize("runner", ["onnxruntime", "onnx.reference"])
def test_onnx_as_its_runtimes_have_it(cell, runner):
    helper = pytest.importorskip("onnx").helper
    library = pytest.importorskip(runner)
    op = {"rnn": "RNN", "lstm": "LSTM"}.get(cell, "GRU")
    weights = onnx_weights({"RNN": 1, "GRU": 3, "LSTM": 4}[op], 1)
    attributes = {"hidden_size": 4, **({"linear_before_reset": int(cell == "gru")} if op == "GRU" else {})}
    x = np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(op, ["X", *weights], ["Y"], **attributes)],
        "layer",
        [helper.make_tensor_value_info(name, 1, value.shape) for name, value in {"X": x, **weights}.items()],
        [helper.make_tensor_value_info("Y", 1, [5, 1, 2, 4])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    if runner == "onnxruntime":
        [expected] = library.InferenceSession(proto.SerializeToString()).run(None, {"X": x, **weights})
    else:
        [expected] = library.ReferenceEvaluator(proto).run(None, {"X": x, **weights})
    close(convert(weights, cell=cell)(x)[0], expected[:, 0], 1e-6)
