"""Exported files beside the modules that they come from."""

import numpy as np
import onnx
import onnxruntime
import torch

from recurra.onnx import load


def agree(model, path, calls, tolerance=1e-5):
    """Run a file in onnxruntime and on recurra, and compare all results with the module's, call by call."""
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    read = load(path)
    for call in calls:
        expected = [value.detach().numpy() for value in torch.utils._pytree.tree_leaves(model(*call))]
        given = [value.numpy() for value in torch.utils._pytree.tree_leaves(call)]
        inputs = dict(zip([each.name for each in session.get_inputs()], given, strict=True))
        for results in (session.run(None, inputs), read.run(None, inputs)):
            for result, value in zip(results, expected, strict=True):
                assert result.shape == value.shape
                np.testing.assert_allclose(result, value, rtol=0, atol=tolerance)


def operators(path):
    """The names of the operators in a file, those of its functions and inner graphs too."""

    def inside(nodes):
        for node in nodes:
            yield node.op_type
            for attribute in node.attribute:
                yield from inside(attribute.g.node)

    model = onnx.load(path)
    found = set(inside(model.graph.node))
    return found.union(*(inside(function.node) for function in model.functions))
