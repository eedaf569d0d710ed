"""The operators: onnx's own cases, the table against onnx's schemas, older opsets against onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

import recurra.graph.operators  # noqa: F401  (fills the table)
from recurra.graph.operators.windows import convolution
from recurra.graph.table import NEWEST, OLDEST, find, rows
from recurra.onnx import OnnxError
from tests.onnx import shipped
from tests.onnx.models import helper, loaded, model_of
from tests.onnx.shipped import loadable_cases

CASES = loadable_cases()
F = np.float32


def as_array(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_onnx_ships_cases(case, tmp_path):
    model = loaded(case.model, tmp_path)
    for inputs, outputs in case.data_sets:
        names = [each.name for each in model.inputs]
        results = model.run(None, dict(zip(names, map(as_array, inputs), strict=True)))
        for result, output in zip(results, map(as_array, outputs), strict=True):
            assert result.dtype == output.dtype
            assert result.shape == output.shape
            np.testing.assert_allclose(result, output, rtol=case.rtol, atol=case.atol)


def test_onnx_ships_many_cases():
    assert len(CASES) > 1000


def test_other_cases_are_refused_and_never_crash(tmp_path):
    def attempt(case):
        model = loaded(case.model, tmp_path)
        names = [each.name for each in model.inputs]
        model.run(None, dict(zip(names, map(as_array, case.data_sets[0][0]), strict=False)))

    tried = set(map(id, CASES))
    for case in shipped.cases():
        if id(case) not in tried and not shipped.OTHERWISE.search(case.name):
            with pytest.raises(OnnxError):
                attempt(case)


def schemas(name):
    found = [s for s in onnx.defs.get_all_schemas_with_history() if s.name == name and s.domain == ""]
    return sorted(found, key=lambda schema: schema.since_version)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.name}-{row.since}")
def test_the_table_agrees_with_onnx(row):
    """Every attribute exists in some version of the row, and each version's attributes are known or left out."""
    held = [schema for schema in schemas(row.name) if schema.since_version <= row.until]
    held = [s for s, later in zip(held, [*held[1:], None], strict=True) if not later or later.since_version > row.since]
    assert held
    assert set(row.attributes) <= {name for schema in held for name in schema.attributes}
    left_out = {"sparse_value", "value_string", "value_strings"}
    for schema in held:
        assert set(schema.attributes) - set(row.attributes) <= left_out, schema.since_version


def test_every_opset_has_one_row_at_most():
    for name in {row.name for row in rows()}:
        for opset in range(OLDEST, NEWEST + 1):
            matching = [row for row in rows() if row.name == name and row.since <= opset <= row.until]
            assert len(matching) <= 1
            assert find(name, opset) is (matching[0] if matching else None)


def test_the_newest_opset_is_one_that_onnx_knows():
    assert onnx.defs.onnx_opset_version() >= NEWEST


def array(*shape, dtype=F, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


INTS = {"axes": [1], "starts": [1], "ends": [3]}
OLDER = [
    ("Squeeze", 11, {"axes": [1]}, [array(3, 1, 2)], 1),
    ("Squeeze", 11, {}, [array(3, 1, 2, 1)], 1),
    ("Squeeze", 12, {"axes": [-1]}, [array(3, 2, 1)], 1),
    ("Unsqueeze", 11, {"axes": [0, -1]}, [array(3, 2)], 1),
    ("Unsqueeze", 7, {"axes": [0, 2]}, [array(3, 2)], 1),
    ("Slice", 9, {"starts": [1, 0], "ends": [3, 1000], "axes": [1, 0]}, [array(4, 5)], 1),
    ("Slice", 7, {"starts": [-2], "ends": [-1]}, [array(4, 5)], 1),
    ("Softmax", 12, {}, [array(2, 3, 4)], 1),
    ("Softmax", 11, {"axis": 2}, [array(2, 3, 4)], 1),
    ("LogSoftmax", 12, {"axis": 1}, [array(2, 3, 4)], 1),
    ("Hardmax", 12, {"axis": 1}, [array(2, 3, 4)], 1),
    ("Pad", 10, {"pads": [0, 1, 2, 0], "value": 1.5}, [array(3, 4)], 1),
    ("Pad", 9, {"pads": [0, 1, 1, 0], "mode": "edge"}, [array(3, 4)], 1),
    ("Clip", 10, {"min": -0.5, "max": 0.5}, [array(3, 4)], 1),
    ("Clip", 7, {"min": -0.5}, [array(3, 4)], 1),
    ("Split", 11, {"axis": 1}, [array(3, 4)], 2),
    ("Split", 12, {"axis": 1, "split": [1, 3]}, [array(3, 4)], 2),
    ("Dropout", 11, {"ratio": 0.5}, [array(3, 4)], 1),
    ("Dropout", 7, {}, [array(3, 4)], 1),
    ("BatchNormalization", 9, {"epsilon": 0.01}, [array(2, 3, 4), *array(4, 3) ** 2], 1),
    ("BatchNormalization", 7, {}, [array(2, 3), *array(4, 3) ** 2], 1),
    *((f"Reduce{name}", 11, {"axes": [0, -1], "keepdims": 0}, [array(3, 4, 2) ** 2], 1)
      for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp")),
    ("ReduceMean", 17, {"axes": [1]}, [array(3, 4)], 1),
    ("ReduceSum", 12, {}, [array(3, 4)], 1),
    ("Cast", 7, {"to": 7}, [array(3, 4)], 1),
    ("Gemm", 7, {"alpha": 2.0, "beta": 0.5, "transB": 1}, [array(3, 4), array(5, 4), array(5)], 1),
    ("Concat", 7, {"axis": -1}, [array(3, 4), array(3, 2)], 1),
    ("Flatten", 7, {"axis": 2}, [array(3, 4, 2)], 1),
    ("ArgMax", 7, {"axis": 1}, [array(3, 4)], 1),
    ("AveragePool", 7, {"kernel_shape": [3], "pads": [1, 1]}, [array(1, 2, 7)], 1),
    ("MaxPool", 8, {"kernel_shape": [3], "strides": [2]}, [array(1, 2, 7)], 1),
    ("Conv", 7, {"pads": [1, 1], "group": 2}, [array(1, 4, 7), array(6, 2, 3), array(6)], 1),
    ("Conv", 22, {"auto_pad": "SAME_UPPER", "strides": [2]}, [array(2, 3, 8), array(5, 3, 4)], 1),
    ("Conv", 22, {"dilations": [2], "strides": [3]}, [array(2, 3, 12), array(5, 3, 3)], 1),
    ("Max", 7, {}, [array(3, 4), array(3, 4, seed=1)], 1),
    ("Where", 9, {}, [array(3, 4) > 0, array(3, 4), array(3, 4, seed=1)], 1),
    ("Div", 7, {}, [np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])], 1),
    ("TopK", 11, {"largest": 0}, [array(3, 6), np.array([2])], 2),
    ("TopK", 11, {"axis": 0}, [np.array([[1.0, 2], [1, 3], [0, 3]], F), np.array([2])], 2),
    ("Gelu", 20, {}, [array(3, 4)], 1),
    ("Range", 11, {}, [np.array(1, F), np.array(2, F), np.array(0.3, F)], 1),
]  # fmt: skip


@pytest.mark.parametrize(("op", "opset", "attributes", "arrays", "outputs"), OLDER, ids=lambda v: str(v)[:20])
def test_opsets_against_onnxruntime(op, opset, attributes, arrays, outputs, tmp_path):
    inputs = {f"x{number}": each for number, each in enumerate(arrays)}
    names = [f"y{number}" for number in range(outputs)]
    proto = model_of([helper.make_node(op, list(inputs), names, **attributes)], inputs, {}, opset=opset, ir_version=8)
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    proto = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    for output in proto.graph.output:
        output.type.tensor_type.shape.SetInParent()
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, inputs)
    for result, value in zip(loaded(proto, tmp_path).run(None, inputs), expected, strict=True):
        assert (result.dtype, result.shape) == (value.dtype, value.shape)
        np.testing.assert_allclose(result, value, rtol=2e-6, atol=2e-6)


WRONG = [
    ("Reshape", [array(2, 3), np.array([4, 2])], {}, "cannot reshape"),
    ("Reshape", [array(2, 3), np.array([2, 3, 0])], {}, "copies a size that 2 dimensions do not have"),
    ("Transpose", [array(2, 3)], {"perm": [0, 0]}, "repeated axis"),
    ("MatMul", [array(2, 3), array(2, 3)], {}, "matmul"),
    ("Gemm", [array(2, 3), array(3)], {}, "two matrices are needed, not 2 and 1 dimensions"),
    ("Add", [array(2, 3), array(2)], {}, "broadcast"),
    ("Concat", [array(2, 3), array(2)], {"axis": 0}, "dimension"),
    ("Gather", [array(2, 3), np.array([5])], {}, "out of bounds"),
    ("Gather", [array(2, 3), np.array([1])], {"axis": 4}, "axis 4 is out of range for 2 dimensions"),
    ("Squeeze", [array(2, 3), np.array([0])], {}, "size not equal to one"),
    ("Split", [array(2, 3), np.array([1, 1])], {"axis": 1}, "size 3 cannot be split in 1 parts of sizes [1, 1]"),
    ("Expand", [array(2, 3), np.array([2**40])], {}, "is larger than 2 GiB"),
    ("Expand", [array(2, 3), np.array([5, 3])], {}, "broadcast"),
    ("ConstantOfShape", [np.array([2**20, 2**20])], {}, "shape (1048576, 1048576) of float32 is larger than 2 GiB"),
    ("ConstantOfShape", [np.array([-1])], {}, "negative size"),
    ("Tile", [array(2, 3), np.array([2**30, 2**30])], {}, "is larger than 2 GiB"),
    ("Pad", [array(2, 3), np.array([2**40, 0, 0, 0])], {}, "is larger than 2 GiB"),
    ("Pad", [array(2, 3), np.array([1])], {}, "1 widths for both ends of 2 axes"),
    ("Range", [np.array(0), np.array(2**62), np.array(1)], {}, "is larger than 2 GiB"),
    ("Range", [np.array(0), np.array(1), np.array(0)], {}, "a step of 0 never arrives"),
    ("OneHot", [np.array([1]), np.array(2**60), array(2)], {}, "is larger than 2 GiB"),
    ("Conv", [array(1, 2, 5), array(3, 3, 3)], {}, "do not fit kernel (3,) in 1 groups"),
    ("Conv", [array(1, 2, 2), array(3, 2, 3)], {}, "the window (3,) is larger than what it moves over, (2,)"),
    ("Conv", [array(1, 2, 5), array(3, 2, 3)], {"strides": [0]}, "make no window"),
    ("MaxPool", [array(1, 2, 5)], {"kernel_shape": [0]}, "make no window"),
    ("MaxPool", [array(1, 2, 5)], {"kernel_shape": [2, 2]}, "a kernel of 2 dimensions over 1"),
    ("TopK", [array(3), np.array([4])], {}, "k=4 of 3 elements along axis 0"),
    ("ReverseSequence", [array(4, 2), np.array([5, 1])], {}, "lengths must be 2 numbers from 0 to 4"),
    ("ReduceSum", [array(2, 3), np.array([0, 0])], {}, "name a dimension twice"),
    ("Einsum", [array(2, 3)], {"equation": "ij->k"}, "einstein sum"),
    ("MatMul", [np.zeros((2**24, 1), F), np.zeros((1, 2**24), F)], {}, "is larger than 2 GiB"),
    ("Gemm", [np.zeros((2**24, 1), F), np.zeros((1, 2**24), F)], {}, "is larger than 2 GiB"),
    ("Einsum", [np.zeros(2**20, F), np.zeros(2**20, F)], {"equation": "i, j -> ij"}, "is larger than 2 GiB"),
    ("Einsum", [np.zeros((2**16, 2), F), np.zeros(2**20, F)], {"equation": "...a,j"}, "is larger than 2 GiB"),
    ("Add", [np.zeros((2**16, 1), F), np.zeros(2**16, F)], {}, "is larger than 2 GiB"),
    ("Where", [np.zeros((2**16, 1), bool), np.zeros(2**16, F), np.zeros(1, F)], {}, "is larger than 2 GiB"),
    ("Mod", [np.ones((2**16, 1), np.int64), np.ones(2**16, np.int64)], {}, "is larger than 2 GiB"),
    ("Max", [np.zeros((2**16, 1), F), np.zeros(2**16, F)], {}, "is larger than 2 GiB"),
    ("Gather", [np.zeros((1, 2**16), F), np.zeros(2**16, np.int64)], {}, "is larger than 2 GiB"),
    ("GatherND", [np.zeros((1, 2**16), F), np.zeros((2**16, 1), np.int64)], {}, "is larger than 2 GiB"),
    ("NonZero", [np.broadcast_to(np.int8(1), 2**28 + 1)], {}, "is larger than 2 GiB"),
    ("Cast", [np.broadcast_to(np.int8(1), 2**28 + 1)], {"to": TensorProto.DOUBLE}, "is larger than 2 GiB"),
    ("Conv", [array(1, 1, 4), array(1, 1, 2)], {"pads": [2**30, 0]}, "is larger than 2 GiB"),
    ("MaxPool", [array(1, 1, 4)], {"kernel_shape": [2**40], "pads": [2**40, 2**40]}, "is larger than 2 GiB"),
    ("Concat", [np.zeros((2**28, 2), np.int8)] * 5, {"axis": 1}, "is larger than 2 GiB"),
    ("RNN", [np.zeros((2**40, 1, 0), F), np.zeros((1, 2, 0), F), np.zeros((1, 2, 2), F)], {}, "is larger than 2 GiB"),
    ("Add", [array(2, 3), np.array([1])], {}, "the dtypes must be the same"),
    ("Where", [np.array(True), array(2), np.array([1, 2])], {}, "the dtypes must be the same"),
]


def test_a_convolution_in_blocks_is_the_whole(monkeypatch):
    for shape, kernel in (((2, 3, 40), (4, 3, 5)), ((2, 4, 7, 6), (6, 2, 3, 2))):
        x, weight, bias = array(*shape), array(*kernel, seed=1), array(kernel[0], seed=2)
        options = {"pads": [1] * (2 * len(shape) - 4), "group": shape[1] // kernel[1]}
        monkeypatch.undo()
        whole = convolution(x, weight, bias, **options)
        monkeypatch.setattr("recurra.graph.operators.windows._AT_ONCE", 100)
        assert np.array_equal(convolution(x, weight, bias, **options), whole)


@pytest.mark.parametrize(("op", "arrays", "attributes", "message"), WRONG, ids=lambda v: str(v)[:30])
def test_what_cannot_be_computed_is_named(op, arrays, attributes, message, tmp_path):
    inputs = {f"x{number}": each for number, each in enumerate(arrays)}
    outputs = 2 if op == "TopK" else 1
    node = helper.make_node(op, list(inputs), [f"y{n}" for n in range(outputs)], name="it", **attributes)
    declared = {name: (value.dtype, [None] * value.ndim) for name, value in inputs.items()}
    model = loaded(model_of([node], declared, {"y0": (F, [None])}), tmp_path)
    with pytest.raises(OnnxError) as caught:
        model.run(None, inputs)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"node 'it' ({op}): ")
    assert "its inputs are" in str(caught.value)
