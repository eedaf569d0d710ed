"""Small files and small inputs do not ask for much memory or time."""

import itertools
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from recurra.onnx import OnnxError, load
from tests.onnx.models import loaded, model_of

F = np.float32
TOO_LARGE = [
    ("MatMul", [np.zeros((49152, 0), F), np.zeros((0, 49152), F)], {}),
    ("Einsum", [np.zeros((49152, 0), F), np.zeros((0, 49152), F)], {"equation": "ij,jk->ik"}),
    ("EyeLike", [np.broadcast_to(np.uint8(0), (2**16, 2**15))], {"dtype": TensorProto.DOUBLE}),
    ("ArgMax", [np.broadcast_to(np.uint8(0), (1, 2**29))], {}),
]


@pytest.mark.parametrize(("op", "arrays", "attributes"), TOO_LARGE)
def test_what_is_too_large_is_not_made(op, arrays, attributes, tmp_path):
    inputs = {f"x{number}": each for number, each in enumerate(arrays)}
    declared = {name: (value.dtype, [None] * value.ndim) for name, value in inputs.items()}
    model = loaded(
        model_of([helper.make_node(op, list(inputs), ["y"], **attributes)], declared, {"y": (F, None)}), tmp_path
    )
    with pytest.raises(OnnxError, match="is larger than 2 GiB"):
        model.run(None, inputs)


WIDENING = [
    ("Gemm", [(2, 3), (3, 4), (5, 2, 4)], {}, r"shape \(5, 2, 4\) does not broadcast to \(2, 4\)"),
    ("Gemm", [(1, 3), (3, 4), (9, 1)], {}, r"shape \(9, 1\) does not broadcast to \(1, 4\)"),
    (
        "BatchNormalization",
        [(2, 1, 3), (9,), (9,), (9,), (9,)],
        {},
        r"a value for each channel of \(2, 1, 3\); got \(9,\)",
    ),
    ("InstanceNormalization", [(2, 1, 3), (9,), (9,)], {}, "a value for each channel"),
    ("LayerNormalization", [(2, 3), (9, 1)], {}, r"shape \(9, 1\) does not broadcast to \(2, 3\)"),
    ("Clip", [(2, 1), (9,)], {}, r"a bound must be one number; got \(9,\)"),
    ("Conv", [(1, 1, 4), (2, 1, 2), (1,)], {}, r"bias must be \(2,\); got \(1,\)"),
]


@pytest.mark.parametrize(("op", "shapes", "attributes", "message"), WIDENING)
def test_nothing_is_widened_by_its_parameters(op, shapes, attributes, message, tmp_path):
    inputs = {f"x{number}": np.ones(shape, F) for number, shape in enumerate(shapes)}
    declared = {name: (F, [None] * value.ndim) for name, value in inputs.items()}
    model = loaded(
        model_of([helper.make_node(op, list(inputs), ["y"], **attributes)], declared, {"y": (F, None)}), tmp_path
    )
    with pytest.raises(OnnxError, match=message):
        model.run(None, inputs)


def nested_calls(levels, calls=2):
    """A function that calls another several times, which calls another …; the last one is an operator."""
    functions, imports = [], [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    for level in range(levels):
        op, domain = (f"F{level + 1}", "f") if level + 1 < levels else ("Relu", "")
        names = ["x", *(f"v{call}" for call in range(calls - 1)), "y"]
        nodes = [helper.make_node(op, [a], [b], domain=domain) for a, b in itertools.pairwise(names)]
        functions.append(helper.make_function("f", f"F{level}", ["x"], ["y"], nodes, imports))
    graph = helper.make_graph(
        [helper.make_node("F0", ["x"], ["y"], domain="f")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    return helper.make_model(graph, functions=functions, opset_imports=imports, ir_version=10)


def test_functions_do_not_become_very_many_nodes(tmp_path):
    assert loaded(nested_calls(5), tmp_path)(-np.ones(1, F)) == 0
    with pytest.raises(OnnxError, match="its functions become more than 100000 nodes"):
        loaded(nested_calls(60), tmp_path)


def test_loading_does_not_compute_for_long(tmp_path):
    """A sum over three letters of 2,000 is 8·10⁹ products."""
    shape = numpy_helper.from_array(np.array([2000]), "n")
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["v"]),
        helper.make_node("Einsum", ["v", "v", "v"], ["y"], equation="a,b,c->"),
    ]
    proto = model_of(nodes, {}, {"y": (F, [])})
    proto.graph.initializer.append(shape)
    begin = time.process_time()
    loaded(proto, tmp_path)
    assert time.process_time() - begin < 5, "it would be minutes, if it were computed"


def test_loading_does_not_fill_memory(tmp_path):
    """Values beyond some 256 MiB are computed when the model runs."""
    nodes = [helper.make_node("ConstantOfShape", ["n"], [f"v{number}"]) for number in range(12)]
    nodes.append(helper.make_node("Concat", [f"v{number}" for number in range(12)], ["y"], axis=0))
    proto = model_of(nodes, {}, {"y": (F, None)}, {"n": np.array([2**23])})
    model = loaded(proto, tmp_path)
    assert sum(array.nbytes for array in model._graph.constants.values()) <= 2**28 + 64


def test_a_branch_gives_as_many_outputs_as_are_asked_for(tmp_path):
    out = helper.make_tensor_value_info("a", TensorProto.FLOAT, [1])
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["a"])], "branch", [], [out])
    node = helper.make_node("If", ["t"], ["y", "z"], then_branch=branch, else_branch=branch)
    proto = model_of([node], {"x": (F, [1]), "t": (np.bool_, [])}, {"z": (F, [1])})
    with pytest.raises(OnnxError, match="2 outputs do not fit a branch of 1"):
        loaded(proto, tmp_path)


def test_a_model_with_data_beside_it_and_inputs_without_shapes(tmp_path):
    weight = numpy_helper.from_array(np.arange(4, dtype=F), "w")
    proto = model_of([helper.make_node("Add", ["x", "w"], ["y"])], {"x": (F, None)}, {"y": (F, None)})
    proto.graph.initializer.append(weight)
    onnx.save(proto, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert load(tmp_path / "model.onnx")(np.ones(4, F)).tolist() == [1, 2, 3, 4]
