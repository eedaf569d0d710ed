"""The node cases that the onnx package ships."""

import warnings
from functools import lru_cache

from onnx.backend.test.case.node import collect_testcases


@lru_cache(maxsize=1)
def cases():
    """All cases; numpy overflows while onnx makes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None) if case.model is not None]


def operators(case):
    return {node.op_type for node in case.model.graph.node}
