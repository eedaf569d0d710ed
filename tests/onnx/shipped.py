"""The node cases that the onnx package ships."""

import re
import warnings
from functools import lru_cache

import onnx
from onnx.backend.test.case.node import collect_testcases

import recurra.graph.operators  # noqa: F401  (fills the table)
from recurra.graph.table import rows

# Cases of operators in the table that need more: training, indices of MaxPool, opsets 1 and 8, antialiasing.
BEYOND = re.compile(
    r"training_mode|training_dropout(_default)?(_mask)?$|_with_argmax|test_scan_sum|test_not_|_antialias"
)
# Corners are aligned here to those of the result, as in onnxruntime; in the case to a size that is no whole number.
OTHERWISE = re.compile(r"test_resize_downsample_scales_(linear|cubic)_align_corners")


@lru_cache(maxsize=1)
def cases():
    """All cases; numpy overflows while onnx makes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None) if case.model is not None]


def operators(case):
    return {node.op_type for node in case.model.graph.node}


def element_types(graph):
    for each in (*graph.input, *graph.output, *graph.value_info):
        yield each.type.WhichOneof("value"), each.type.tensor_type.elem_type
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to":
                yield "tensor_type", attribute.i
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from element_types(attribute.g)


def is_supported(case):
    if BEYOND.search(case.name):
        return False
    # 1 to 13 without strings, by TensorProto's numbers; 0 if an inner graph does not declare it
    types = [(kind, number) for kind, number in element_types(case.model.graph) if kind is not None]
    return all(kind == "tensor_type" and number <= 13 and number != 8 for kind, number in types)


@lru_cache(maxsize=1)
def loadable_cases():
    """The cases whose operators and types can be loaded."""
    known = {row.name for row in rows()}
    found = [case for case in cases() if operators(case) <= known and is_supported(case)]
    return [case for case in found if not OTHERWISE.search(case.name)]
