"""The node cases that the onnx package ships."""

import warnings
from functools import lru_cache

from onnx.backend.test.case.node import collect_testcases


@lru_cache(maxsize=1)
def cases():
    """All of them; making them, onnx has numpy overflow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None) if case.model is not None]


def operators(case):
    return {node.op_type for node in case.model.graph.node}
