"""ONNX models for tests: made, saved and loaded."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import recurra.onnx

F = np.float32
NEWEST = 22  # an opset that every supported version of onnx knows


def element_type(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def model_of(nodes, inputs, outputs, constants=None, opset=NEWEST, ir_version=10, name="graph"):
    """A model; ``inputs`` and ``outputs`` are arrays or (dtype, shape) by name."""

    def declared(name, like):
        dtype, shape = (like.dtype, like.shape) if isinstance(like, np.ndarray) else like
        return helper.make_tensor_value_info(name, element_type(dtype), shape)

    graph = helper.make_graph(
        nodes,
        name,
        [declared(name, like) for name, like in inputs.items()],
        [declared(name, like) for name, like in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def loaded(model, folder, name="model.onnx"):
    """Save a model to a file, and load it."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return recurra.onnx.load(path)


def lstm_model(hidden=5):
    """One LSTM node of 4 features."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.uniform(-0.5, 0.5, (1, 4 * hidden, 4)).astype(F),
        "r": rng.uniform(-0.5, 0.5, (1, 4 * hidden, hidden)).astype(F),
    }
    nodes = [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=hidden, name="layer")]
    return model_of(nodes, {"x": (F, ["T", "B", 4])}, {"y": (F, ["T", 1, "B", hidden])}, weights)


def sub(nodes, inputs, outputs):
    """An inner graph: the body of a loop or a scan, or a branch."""
    made = [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()]
    return helper.make_graph(nodes, "inside", made, [helper.make_tensor_value_info(n, *k) for n, k in outputs.items()])


def scan_model(directions=(0,)):
    """A Scan of a custom cell, h = tanh(x·w + h·u), with the weights outside of its body."""
    step = [
        helper.make_node("MatMul", ["x_t", "w"], ["xw"]),
        helper.make_node("MatMul", ["h", "u"], ["hu"]),
        helper.make_node("Add", ["xw", "hu"], ["a"]),
        helper.make_node("Tanh", ["a"], ["h_new"]),
        helper.make_node("Identity", ["h_new"], ["y_t"]),
    ]
    state = (TensorProto.FLOAT, ["B", 3])
    body = sub(step, {"h": state, "x_t": (TensorProto.FLOAT, ["B", 2])}, {"h_new": state, "y_t": state})
    reverse = {"scan_input_directions": directions, "scan_output_directions": directions}
    node = helper.make_node("Scan", ["h_0", "x"], ["h_n", "y"], body=body, num_scan_inputs=1, **reverse)
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((2, 3)).astype(F), "u": rng.standard_normal((3, 3)).astype(F)}
    inputs = {"h_0": (F, ["B", 3]), "x": (F, ["T", "B", 2])}
    return model_of([node], inputs, {"h_n": (F, ["B", 3]), "y": (F, ["T", "B", 3])}, weights)


__all__ = [
    "NEWEST",
    "TensorProto",
    "element_type",
    "helper",
    "loaded",
    "lstm_model",
    "model_of",
    "onnx",
    "scan_model",
    "sub",
]
