"""ONNX models made in tests, saved and loaded."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import recurra.onnx

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
    """The model, through a file."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return recurra.onnx.load(path)


__all__ = ["NEWEST", "TensorProto", "element_type", "helper", "loaded", "model_of", "onnx"]
