"""Corners of the standard, against onnxruntime where it computes them."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from recurra.graph.operators.creating import numbers
from recurra.onnx import OnnxError, load
from tests.onnx.models import element_type, loaded, model_of

F = np.float32


def model_with(op, arrays, attributes, outputs):
    inputs = {f"x{number}": each for number, each in enumerate(arrays)}
    declared = {name: (value.dtype, [None] * value.ndim) for name, value in inputs.items()}
    node = helper.make_node(op, list(inputs), list(outputs), **attributes)
    return model_of([node], declared, {name: (dtype, None) for name, dtype in outputs.items()}), inputs


CORNERS = {
    "the sum before each, beside an infinite one": (
        "CumSum",
        [np.array([1, 1e8, 1, np.inf, 2], F), np.array(0)],
        {"exclusive": 1},
        {"y": F},
    ),
    "the same from the end": (
        "CumSum",
        [np.array([[1, 2, 4]], F), np.array(1)],
        {"exclusive": 1, "reverse": 1},
        {"y": F},
    ),
    "the sum before each of none": ("CumSum", [np.zeros((0, 2), F), np.array(0)], {"exclusive": 1}, {"y": F}),
    "backwards from before the beginning": (
        "Slice",
        [np.arange(5, dtype=F), np.array([-100]), np.array([-(2**62)]), np.array([0]), np.array([-1])],
        {},
        {"y": F},
    ),
    "whole numbers": ("ReduceLogSumExp", [np.array([1, 2], np.int32)], {}, {"y": np.int32}),
    "statistics in float32": (
        "LayerNormalization",
        [np.arange(6.0).reshape(2, 3), np.ones(3)],
        {},
        {"y": np.float64, "m": F},
    ),
}


@pytest.mark.parametrize(("op", "arrays", "attributes", "outputs"), CORNERS.values(), ids=CORNERS)
def test_against_onnxruntime(op, arrays, attributes, outputs, tmp_path):
    proto, inputs = model_with(op, arrays, attributes, outputs)
    found = loaded(proto, tmp_path).run(None, inputs)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    for mine, theirs in zip(found, session.run(None, inputs), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("dtype", "depth"), [(np.int8, 200), (np.uint8, 300)])
def test_a_depth_that_the_indices_dtype_does_not_hold(dtype, depth, tmp_path):
    proto, inputs = model_with(
        "OneHot", [np.array([3, 100], dtype), np.array(depth), np.array([0, 1], F)], {}, {"y": F}
    )
    assert loaded(proto, tmp_path).run(None, inputs)[0].argmax(1).tolist() == [3, 100]


def test_a_range_of_half_precision_is_counted_in_float32():
    half = [np.array(value, np.float16) for value in (-1024, 2047, 1)]
    assert np.array_equal(numbers(*half), np.arange(-1024, 2047, dtype=F).astype(np.float16))


WRONG = [
    ("MatMul", [np.ones((2, 2), F), np.ones((2, 2))], {}, "the dtypes must be the same"),
    ("Concat", [np.ones(2, F), np.ones(2)], {"axis": 0}, "the dtypes must be the same"),
    ("Mod", [np.ones(2, F), np.ones(2)], {"fmod": 1}, "the dtypes must be the same"),
    ("Gemm", [np.ones((2, 2), F), np.ones((2, 2), F), np.ones(2)], {}, "the dtypes must be the same"),
    ("Trilu", [np.ones(3, F)], {}, "matrices are needed, not 1 dimensions"),
    ("Reshape", [np.ones(4, F), np.array([-2, 2])], {}, "has a negative size"),
]


@pytest.mark.parametrize(("op", "arrays", "attributes", "message"), WRONG)
def test_what_the_standard_forbids(op, arrays, attributes, message, tmp_path):
    proto, inputs = model_with(op, arrays, attributes, {"y": F})
    with pytest.raises(OnnxError, match=message):
        loaded(proto, tmp_path).run(None, inputs)


def test_declared_sizes(tmp_path):
    """Some exporters write -1 for a size that is not known; 0 is a size."""
    node = helper.make_node("Relu", ["x"], ["y"])
    for size, fits in ((-1, 3), (0, 0)):
        model = loaded(model_of([node], {"x": (F, [size, 2])}, {"y": (F, None)}), tmp_path)
        assert model(np.ones((fits, 2), F)).shape == (fits, 2)
    with pytest.raises(OnnxError, match=r"input x: float32 \(0, 2\): the array has shape \(3, 2\)"):
        model(np.ones((3, 2), F))
    with pytest.raises(OnnxError, match="<U3 is no number"):
        model([["1.5", "2"]])


def test_a_body_has_inputs_of_its_own(tmp_path):
    """An input of the inner graph has the name of an outer initializer."""

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])

    nodes = [helper.make_node("Add", ["h", "w"], ["n"]), helper.make_node("Identity", ["n"], ["o"])]
    body = helper.make_graph(nodes, "body", [value("h"), value("w")], [value("n"), value("o")])
    scan = helper.make_node("Scan", ["h0", "xs"], ["last", "all"], body=body, num_scan_inputs=1)
    add = helper.make_node("Add", ["last", "w"], ["y"])
    proto = model_of([scan, add], {"h0": (F, [2]), "xs": (F, [3, 2])}, {"y": (F, [2])}, {"w": np.array([10, 20], F)})
    assert loaded(proto, tmp_path)(np.zeros(2, F), np.ones((3, 2), F)).tolist() == [13, 23]


def test_data_beside_the_model_of_more_dimensions_than_there_are(tmp_path):
    weight = TensorProto(name="w", data_type=element_type(F), dims=[1] * 65, data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="w.bin")
    (tmp_path / "w.bin").write_bytes(numpy_helper.from_array(np.ones(1, F)).raw_data)
    proto = model_of([helper.make_node("Identity", ["w"], ["y"])], {}, {"y": (F, None)})
    proto.graph.initializer.append(weight)
    onnx.save(proto, tmp_path / "model.onnx")
    with pytest.raises(OnnxError, match="tensor 'w'"):
        load(tmp_path / "model.onnx")
