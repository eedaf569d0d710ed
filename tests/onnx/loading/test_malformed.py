"""Files that are no models or are not supported: one clear error each, and never a crash."""

import os

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from recurra.errors import RecurraError
from recurra.graph.table import NEWEST
from recurra.onnx import OnnxError, load
from tests.onnx.models import loaded, lstm_model, model_of, scan_model

F = np.float32


def refusal(proto, folder):
    with pytest.raises(OnnxError) as caught:
        loaded(proto, folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("model.onnx")
    assert isinstance(caught.value, RecurraError)
    return message


def test_everything_not_supported_is_listed_at_once(tmp_path):
    inside = helper.make_graph(
        [helper.make_node("Det", ["m"], ["d"], name="deep")],
        "inside",
        [],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, [])],
    )
    nodes = [
        helper.make_node("Inverse", ["x"], ["a"], name="first", domain="com.microsoft"),
        helper.make_node("NonMaxSuppression", ["x", "x"], ["b"], name="second"),
        helper.make_node("MaxPool", ["x"], ["c", "indices"], name="third", kernel_shape=[1]),
        helper.make_node("Cast", ["x"], ["e"], name="fourth", to=TensorProto.BFLOAT16),
        helper.make_node("LSTM", ["x", "x", "x"], ["f"], activations=["Tanh", "Gelu", "Tanh"]),
        helper.make_node("If", ["t"], ["g"], name="sixth", then_branch=inside, else_branch=inside),
        helper.make_node("Constant", [], ["s"], name="seventh", value_string="text"),
    ]
    proto = model_of(nodes, {"x": (F, [1, 1, 1]), "t": (np.bool_, []), "m": (F, [1, 1])}, {"a": (F, [1])})
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    proto.graph.input.append(helper.make_tensor_value_info("text", TensorProto.STRING, [1]))
    proto.graph.input.append(helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, None))
    message = refusal(proto, tmp_path)
    for part in (
        "model.onnx cannot be loaded: ",
        "value 'text': element type string is not supported",
        "value 'list': sequence_type is not supported, only tensors",
        "operators that are not supported: Det ×2, com.microsoft.Inverse ×1, NonMaxSuppression ×1;",
        "node 'third' (MaxPool): output 2 is not supported",
        "node 'fourth' (Cast): attribute to: element type bfloat16 is not supported",
        "node 4 (LSTM): activation 'Gelu' is not supported",
        "node 'seventh' (Constant): attribute value_string is not supported",
    ):
        assert part in message


def test_long_lists_are_cut(tmp_path):
    nodes = [helper.make_node("RNN", ["x"] * 3, [f"y{number}"], activations=[f"A{number}"]) for number in range(30)]
    message = refusal(model_of(nodes, {"x": (F, [1, 1, 1])}, {"y0": (F, None)}), tmp_path)
    assert message.endswith("; and 10 more")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("Split", ["x"], ["y"], num_outputs=2**40), "num_outputs=1099511627776 for 1 outputs"),
        (
            helper.make_node("RNN", ["x", "x", "x"], ["y"], activations=["Relu", "Tanh"]),
            "activations must be 1 for each of 1 directions; got Relu, Tanh",
        ),
    ],
)
def test_attributes_that_contradict_the_node(node, message, tmp_path):
    assert message in refusal(model_of([node], {"x": (F, [1, 1, 1])}, {"y": (F, None)}), tmp_path)


@pytest.mark.parametrize("opset", [1, 6])
def test_opsets_that_are_not_supported(opset, tmp_path):
    proto = model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": (F, [1])}, {"y": (F, [1])}, opset=opset)
    assert refusal(proto, tmp_path) == f"model.onnx: opset {opset} is not supported, only 7 to {NEWEST}"


def test_operators_of_another_opset(tmp_path):
    body = scan_model().graph.node[0].attribute[0].g
    node = helper.make_node("Scan", ["", "h", "x"], ["n", "y"], body=body, num_scan_inputs=1)
    inputs = {"h": (F, [1, 4, 3]), "x": (F, [1, 6, 4, 2]), "w": (F, [2, 3]), "u": (F, [3, 3])}
    proto = model_of([node], inputs, {"n": (F, [1, 4, 3]), "y": (F, [1, 6, 4, 3])}, opset=8)
    assert f"not supported: Scan (opset 8, not 9 to {NEWEST}) ×1" in refusal(proto, tmp_path)


def test_sparse_initializers(tmp_path):
    values = numpy_helper.from_array(np.ones(1, F), "s")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([1]), "i"), [3])
    proto = model_of([helper.make_node("Add", ["x", "s"], ["y"])], {"x": (F, [3])}, {"y": (F, [3])})
    proto.graph.sparse_initializer.append(sparse)
    assert "sparse initializer 's'" in refusal(proto, tmp_path)


BROKEN = {
    "no data": lambda proto: proto.graph.initializer[0].ClearField("raw_data"),
    "too little data": lambda proto: setattr(proto.graph.initializer[0], "raw_data", b"1234"),
    "a huge shape": lambda proto: proto.graph.initializer[0].dims.__setitem__(0, 2**60),
    "a negative size": lambda proto: proto.graph.initializer[0].dims.__setitem__(0, -1),
    "an unknown type": lambda proto: setattr(proto.graph.initializer[0], "data_type", 99),
    "no initializer": lambda proto: proto.graph.initializer.pop(),
    "no output": lambda proto: proto.graph.node.pop(),
    "a value made twice": lambda proto: proto.graph.node.append(proto.graph.node[0]),
    "a name used too early": lambda proto: proto.graph.node[0].input.__setitem__(0, "y"),
    "an unknown attribute": lambda proto: proto.graph.node[0].attribute.append(helper.make_attribute("gates", 4)),
    "an attribute of another type": lambda proto: proto.graph.node[0].attribute.append(
        helper.make_attribute("direction", 4)
    ),
    "no opset": lambda proto: proto.ClearField("opset_import"),
    "a future opset": lambda proto: setattr(proto.opset_import[0], "version", 2000),
    "a future format": lambda proto: setattr(proto, "ir_version", 2000),
    "no graph": lambda proto: proto.ClearField("graph"),
    "layout -3": lambda proto: proto.graph.node[0].attribute.append(helper.make_attribute("layout", -3)),
    "a huge hidden size": lambda proto: setattr(proto.graph.node[0].attribute[0], "i", 2**62),
    "a negative hidden size": lambda proto: setattr(proto.graph.node[0].attribute[0], "i", -5),
}


@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
def test_broken_models(break_it, tmp_path):
    proto = lstm_model()
    break_it(proto)
    refusal(proto, tmp_path)


def test_large_constants_are_not_made_when_loading(tmp_path):
    """A few bytes of a file could ask for all memory of the machine."""
    node = helper.make_node("ConstantOfShape", ["s"], ["y"])
    model = loaded(model_of([node], {}, {"y": (F, [2**14, 2**12])}, {"s": np.array([2**14, 2**12])}), tmp_path)
    assert len(model._graph.steps) == 1
    assert model().shape == (2**14, 2**12)


@pytest.mark.parametrize("content", [b"", b"text", b"\x08", bytes(range(256)), b"\x00" * 1000])
def test_files_that_are_no_models(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(OnnxError, match=r"model\.onnx is no valid ONNX model"):
        load(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "model.onnx")
    with pytest.raises(OSError, match=r"directory|denied"):
        load(str(tmp_path))


def test_what_would_never_end_is_not_read(tmp_path):
    with pytest.raises(OnnxError, match="zero is not a plain file"):
        load("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OnnxError, match="pipe is not a plain file"):
        load(tmp_path / "pipe")


@pytest.mark.parametrize("name", [b"y", b"x"])
def test_names_that_are_no_text(name, tmp_path):
    nodes = [helper.make_node("Relu", ["xxxx"], ["yyyy"])]
    content = model_of(nodes, {"xxxx": (F, [1])}, {"yyyy": (F, [1])}).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content.replace(name * 4, b"\xff" * 4))
    with pytest.raises(OnnxError, match=r"model\.onnx is no valid ONNX model: .* is not UTF-8"):
        load(tmp_path / "model.onnx")


def test_outputs_are_what_the_model_declares(tmp_path):
    proto = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (F, [1])}, {"y": (np.int64, [1])})
    with pytest.raises(OnnxError, match=r"output y: int64 \(1\) came out as float32"):
        loaded(proto, tmp_path)(np.ones(1, F))


def test_a_loop_cannot_take_all_memory(tmp_path):
    """It doubles a value again and again; or it collects a large one."""
    true = helper.make_tensor_value_info("true", TensorProto.BOOL, [])
    number = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    value = helper.make_tensor_value_info("v", TensorProto.INT8, None)
    doubled = helper.make_tensor_value_info("vv", TensorProto.INT8, None)
    nodes = [helper.make_node("Concat", ["v", "v"], ["vv"], axis=0), helper.make_node("Identity", ["true"], ["on"])]
    on = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    body = helper.make_graph(nodes, "body", [number, true, value], [on, doubled])
    loop = helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)
    proto = model_of([loop], {"n": (np.int64, []), "x": (np.int8, None)}, {"y": (np.int8, None)})
    model = loaded(proto, tmp_path)
    assert model(np.array(3), np.zeros(2, np.int8)).shape == (16,)
    with pytest.raises(OnnxError, match=r"Concat.*is larger than 2 GiB"):
        model(np.array(60), np.zeros(3 * 2**29, np.int8))
    nodes = [helper.make_node("Identity", ["v"], ["vv"]), helper.make_node("Identity", ["v"], ["copy"]), nodes[1]]
    copy = helper.make_tensor_value_info("copy", TensorProto.INT8, [2**26])
    body = helper.make_graph(nodes, "body", [number, true, value], [on, doubled, copy])
    loop = helper.make_node("Loop", ["n", "", "x"], ["z", "y"], body=body)
    proto = model_of([loop], {"n": (np.int64, []), "x": (np.int8, None)}, {"y": (np.int8, None)})
    with pytest.raises(OnnxError, match=r"Loop.*is larger than 2 GiB"):
        loaded(proto, tmp_path)(np.array(60), np.zeros(2**26, np.int8))


def attempt(path):
    """Load and run a model, as far as that goes; refusals must be errors of recurra's."""
    refused = ""
    try:
        model = load(path)
        feeds = {
            each.name: np.ones([size if isinstance(size, int) and 0 <= size < 9 else 3 for size in each.shape or ()],
                               each.dtype or F)
            for each in model.inputs
        }  # fmt: skip
        model.run(None, feeds)
    except OnnxError as error:
        refused = str(error)
    assert "\n" not in refused


MODELS = [lstm_model().SerializeToString(), scan_model().SerializeToString()]


@settings(max_examples=300)
@given(
    st.sampled_from(MODELS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_changed_bytes(tmp_path_factory, content, changes, cut):
    changed = bytearray(content)
    for place, value in changes:
        changed[place % len(changed)] = value
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(bytes(changed[: len(changed) - cut]))
    attempt(path)


def fields(message):
    """Every number and text in a message, with a function that sets it."""
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_MESSAGE:
            for part in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
                yield from fields(part)
        elif hasattr(value, "append"):
            for number, each in enumerate(value):
                yield each, lambda new, value=value, number=number: value.__setitem__(number, new)
        else:
            yield value, lambda new, name=descriptor.name: setattr(message, name, new)


def another(value, choice):
    if isinstance(value, int):
        return [0, 1, -1, 2, 3, 7, 2**31 - 1, -(2**31), value + 1, value * 2][choice % 10]
    if isinstance(value, float):
        return [0.0, -1.0, float("nan"), float("inf"), 1e30][choice % 5]
    other = ["", "x", "y", "w", "h", "reverse", "LSTM", "Tanh", "Concat", "Reshape", "Scan", "If", "\u00e9"][
        choice % 13
    ]
    return other if isinstance(value, str) else other.encode()


@settings(max_examples=400)
@given(
    st.sampled_from(MODELS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=3),
)
def test_changed_fields(tmp_path_factory, content, changes):
    proto = onnx.ModelProto.FromString(content)
    for place, choice in changes:
        found = list(fields(proto))
        value, change = found[place % len(found)]
        try:
            change(another(value, choice))
        except (TypeError, ValueError):  # out of the field's range
            return
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(proto.SerializeToString())
    attempt(path)
