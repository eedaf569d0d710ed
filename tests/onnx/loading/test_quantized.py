"""Graphs that onnxruntime's own tools have quantized, and their operators, beside onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

import recurra
from benchmarks import graphs
from recurra.errors import OnnxError
from recurra.graph.operators import quantized_recurrent
from tests.onnx.models import loaded, model_of

F = np.float32
# onnxruntime's products of 8 bits saturate on processors without AVX512_VNNI; recurra's do not.
SEVEN_BITS = {"reduce_range": True}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(F)


def both(path, inputs):
    """The results of onnxruntime, and those of recurra."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    expected = onnxruntime.InferenceSession(path, options).run(None, inputs)
    model = recurra.onnx.load(path)
    results = [each.copy() for each in model.run(None, inputs)]
    for first, again in zip(results, model.run(None, inputs), strict=True):  # what the first call has settled
        np.testing.assert_allclose(again, first, rtol=1e-6, atol=1e-6)
    return expected, results


def recurra_calls(path, inputs):
    """The runs of each settled call of a model."""
    model = recurra.onnx.load(path)
    model.run(None, inputs)
    return [call._runs for calls in model._settled._free.values() for call in calls]


def saved(proto, path):
    onnx.save(proto, path)
    return path


def classifier():
    """A convolution, a transposed one, pooling and two products over a picture; eight labels."""
    weights = {
        "w1": random(6, 1, 3, 3), "b1": random(6, seed=1), "w2": random(6, 4, 3, 3, seed=2),
        "w3": random(4, 16, seed=3), "b3": random(16, seed=4), "w4": random(16, 8, seed=5),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2], name="conv"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("ConvTranspose", ["b", "w2"], ["c"], strides=[2, 2], name="back"),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "w3", "b3"], ["f"], name="gemm"),
        helper.make_node("Sigmoid", ["f"], ["g"]),
        helper.make_node("MatMul", ["g", "w4"], ["y"], name="matmul"),
    ]
    return model_of(nodes, {"x": (F, ["B", 1, 8, 8])}, {"y": (F, ["B", 8])}, weights, opset=17, ir_version=8)


class Pictures(CalibrationDataReader):
    def __init__(self):
        self.left = [{"x": 2 * random(4, 1, 8, 8, seed=seed)} for seed in range(3)]

    def get_next(self):
        return self.left.pop() if self.left else None


def agree_in_labels(path, quantum):
    expected, results = both(path, {"x": 2 * random(32, 1, 8, 8, seed=9)})
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=quantum)
        np.testing.assert_array_equal(result.argmax(-1), value.argmax(-1))


@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8])
def test_a_dynamically_quantized_classifier(kind, tmp_path):
    source = saved(classifier(), tmp_path / "float.onnx")
    quantize_dynamic(
        source, tmp_path / "m.onnx", weight_type=kind, op_types_to_quantize=["Conv", "MatMul", "Gemm"], **SEVEN_BITS
    )
    operators = {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    assert operators >= {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}
    agree_in_labels(tmp_path / "m.onnx", 1e-5)


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_a_statically_quantized_classifier(form, tmp_path):
    source = saved(classifier(), tmp_path / "float.onnx")
    quantize_static(
        source, tmp_path / "m.onnx", Pictures(), quant_format=form, per_channel=form is QuantFormat.QDQ, **SEVEN_BITS
    )
    operators = {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    assert operators >= ({"DequantizeLinear"} if form is QuantFormat.QDQ else {"QLinearConv", "QLinearMatMul"})
    agree_in_labels(tmp_path / "m.onnx", 0.02)


def lstm(directions, lengths=False, peepholes=False, hidden=16):
    weights = {
        "w": random(directions, 4 * hidden, 8), "r": random(directions, 4 * hidden, hidden, seed=1),
        "b": random(directions, 8 * hidden, seed=2), "p": random(directions, 3 * hidden, seed=3),
    }  # fmt: skip
    inputs = ["x", "w", "r", "b", "n" if lengths else "", "h", "c", "p"][: 8 if peepholes else 7]
    way = "bidirectional" if directions == 2 else "reverse"
    nodes = [helper.make_node("LSTM", inputs, ["y", "y_h", "y_c"], hidden_size=hidden, direction=way)]
    state = (F, [directions, "B", hidden])
    given = {"x": (F, ["T", "B", 8]), "h": state, "c": state, **({"n": (np.int32, ["B"])} if lengths else {})}
    outputs = {"y": (F, ["T", directions, "B", hidden]), "y_h": state, "y_c": state}
    return model_of(nodes, given, outputs, weights, opset=17, ir_version=8)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8])
def test_a_quantized_lstm_of_one_sequence(kind, per_channel, tmp_path):
    for options in ({"directions": 2}, {"directions": 1, "peepholes": True}, {"directions": 2, "lengths": True}):
        source = saved(lstm(**options), tmp_path / "float.onnx")
        quantize_dynamic(source, tmp_path / "m.onnx", weight_type=kind, per_channel=per_channel, **SEVEN_BITS)
        count = options["directions"]
        inputs = {"x": random(12, 1, 8, seed=4), "h": random(count, 1, 16, seed=5), "c": random(count, 1, 16, seed=6)}
        if "lengths" in options:
            inputs["n"] = np.array([9], np.int32)
        expected, results = both(tmp_path / "m.onnx", inputs)
        for result, value in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, value, rtol=0, atol=1e-5)


def test_a_quantized_lstm_of_several_sequences(tmp_path):
    """States are quantized for each sequence: onnxruntime does it for as many as a thread has."""
    source = saved(lstm(1), tmp_path / "float.onnx")
    quantize_dynamic(source, tmp_path / "m.onnx", **SEVEN_BITS)
    x = np.repeat(random(12, 1, 8, seed=4), 3, 1)
    h = c = random(1, 3, 16, seed=5)
    expected, (y, *_) = both(tmp_path / "m.onnx", {"x": x, "h": h, "c": c})
    np.testing.assert_allclose(y, expected[0], rtol=0, atol=0.02)
    alone = recurra.onnx.load(tmp_path / "m.onnx").run(None, {"x": x[:, 1:2], "h": h[:, 1:2], "c": c[:, 1:2]})[0]
    np.testing.assert_allclose(y[:, :, 1:2], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", [{"directions": 2}, {"directions": 1, "peepholes": True}])
def test_weights_that_products_of_bytes_do_not_take(options, tmp_path, monkeypatch):
    """The products are of floats then, and give the same numbers."""
    quantize_dynamic(saved(lstm(**options), tmp_path / "float.onnx"), tmp_path / "m.onnx", **SEVEN_BITS)
    state = random(options["directions"], 3, 16, seed=5)
    inputs = {"x": random(12, 3, 8, seed=4), "h": state, "c": state}
    expected = recurra.onnx.load(tmp_path / "m.onnx").run(None, inputs)
    monkeypatch.setattr(quantized_recurrent, "_MOST", 0)
    model = recurra.onnx.load(tmp_path / "m.onnx")
    for _ in range(3):  # the first runs are not settled
        for result, value in zip(model.run(None, inputs), expected, strict=True):
            np.testing.assert_allclose(result, value, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("number", "shape", "message"),
    [
        (
            2,
            (5,),
            r"W and R must be \(num_directions=1, input_size or hidden_size, 4\*hidden_size\).*got .* and \(5,\)",
        ),
        (1, (3, 16), r"W and R must be .*; got \(3, 16\) and \(1, 4, 16\)"),
        (8, (), r"W_scale must be float32 \(num_directions=1\) or .*4\*hidden_size=16\); got float32 \(\)"),
        (10, (1, 7), r"R_scale must be float32 .*; got float32 \(1, 7\)"),
    ],
)
def test_weights_of_wrong_shapes_are_named(number, shape, message, tmp_path):
    shapes = {1: (1, 3, 16), 2: (1, 4, 16), 8: (1,), 9: (1,), 10: (1,), 11: (1,), number: shape}
    weights = {f"w{n}": np.ones(s, F if n in (8, 10) else np.int8) for n, s in shapes.items()}
    inputs = ["x", *(f"w{n}" if n in shapes else "" for n in range(1, 12))]
    node = helper.make_node("DynamicQuantizeLSTM", inputs, ["y"], domain="com.microsoft", hidden_size=4)
    model = model_of([node], {"x": (F, ["T", 1, 3])}, {"y": (F, ["T", 1, 1, 4])}, weights)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(OnnxError, match=message):
        loaded(model, tmp_path)


def whole(*shape, dtype=np.uint8, seed=0):
    """Numbers of 8 bits; signed ones, which are weights here, of 7, so that onnxruntime's products do not saturate."""
    least, most = (0, 255) if dtype == np.uint8 else (-64, 63)
    return np.random.default_rng(seed).integers(least, most + 1, shape).astype(dtype)


@pytest.mark.parametrize("form", graphs.FORMS)
@pytest.mark.parametrize("kind", ["vad", "crnn", "tagger", "pictures"])
def test_whole_networks(kind, form, tmp_path):
    """Those of the benchmark: the same labels, and outputs within one quantum of their own range."""
    graph, path = graphs.Graph(), tmp_path / "m.onnx"
    feeds = graphs.ALL[kind](graph, True)
    graph.save(path)
    graphs.quantize(path, feeds, form)
    expected, results = both(path, feeds)
    for result, value in zip(results, expected, strict=True):
        quantum = (value.max(initial=0) - value.min(initial=0)) / 255
        softmax = 1 / 256  # of onnxruntime's quantizer
        np.testing.assert_allclose(result, value, rtol=0, atol=1.01 * max(quantum, softmax))
        np.testing.assert_array_equal(result.argmax(-1), value.argmax(-1))
    (calls,) = recurra_calls(path, feeds)
    names = {type(run).__name__ for run in calls}
    assert names == {"nb_bound_method"} or kind == "tagger", names  # nothing is left to numpy but a Gather


I8, SCALE = np.int8, np.array(0.02, F)
ONE = {
    "products of stacks": ("MatMulInteger", "", {}, [whole(2, 3, 5), whole(2, 5, 4, dtype=I8)]),
    "zero points of columns": (
        "MatMulInteger", "", {}, [whole(3, 5), whole(5, 4), np.uint8(7), whole(4, seed=3)],
    ),
    "long sums": ("MatMulInteger", "", {}, [whole(2, 3000), whole(3000, 2, seed=1), np.uint8(0), np.uint8(0)]),
    "a matrix quantized by its range": (
        "DynamicQuantizeMatMul", "com.microsoft", {},
        [random(3, 5), whole(5, 4, dtype=I8), random(4) + 1, np.zeros(4, I8), random(4)],
    ),
    "a product as floats": (
        "MatMulIntegerToFloat", "com.microsoft", {},
        [whole(3, 5), whole(5, 4), SCALE, SCALE, np.uint8(3), np.uint8(130), random(4)],
    ),
    "grouped convolution": (
        "ConvInteger", "", {"group": 2, "pads": [1, 2], "strides": [2], "dilations": [2]},
        [whole(2, 4, 9), whole(6, 2, 3, seed=1), np.uint8(99)],
    ),
    "a matrix with a bias": (
        "QGemm", "com.microsoft", {"transB": 1, "alpha": 0.5},
        [whole(3, 5), SCALE, np.uint8(120), whole(4, 5, dtype=I8), SCALE, np.int8(0), np.arange(4, dtype=np.int32)],
    ),
    "means of windows": (
        "QLinearAveragePool", "com.microsoft", {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1},
        [whole(1, 3, 5, 6), SCALE, np.uint8(120), SCALE, np.uint8(99)],
    ),
    "softmax": (
        "QLinearSoftmax", "com.microsoft", {"axis": -1, "opset": 17},
        [whole(3, 9), SCALE, np.uint8(120), np.array(1 / 256, F), np.uint8(0)],
    ),
    "softmax of old": (
        "QLinearSoftmax", "com.microsoft", {"axis": 1, "opset": 11},
        [whole(2, 3, 4), SCALE, np.uint8(120), np.array(1 / 256, F), np.uint8(0)],
    ),
    "a scale of each filter": (
        "QLinearConv", "", {"pads": [1, 1, 1, 1]},
        [whole(1, 3, 5, 5), SCALE, np.uint8(120), whole(4, 3, 3, 3, dtype=I8), np.full(4, 0.01, F),
         np.zeros(4, I8), np.array(0.1, F), np.uint8(100), np.arange(4, dtype=np.int32) * 300],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ONE)
def test_one_operator(kind, tmp_path):
    name, domain, attributes, arrays = ONE[kind]
    kind_of = F if domain and not name.startswith("QLinear") else np.uint8 if name.startswith("QLinear") else np.int32
    values = {f"i{number}": np.asarray(value) for number, value in enumerate(arrays)}
    inputs = {name: value for name, value in values.items() if name in ("i0", "i1")}
    for given in (inputs, {"i0": values["i0"]}):  # the weights are an input, or known
        known = {name: value for name, value in values.items() if name not in given}
        node = helper.make_node(name, list(values), ["y"], domain=domain, **attributes)
        proto = model_of([node], given, {"y": (kind_of, None)}, known, opset=17, ir_version=8)
        proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        [expected], [result] = both(saved(proto, tmp_path / "m.onnx"), given)
        assert result.dtype == expected.dtype
        if expected.dtype == F:
            np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_allclose(
                result.astype(int), expected.astype(int), rtol=0, atol=expected.dtype != np.int32
            )


def test_dtypes_that_do_not_fit_are_refused(tmp_path):
    node = helper.make_node("MatMulInteger", ["a", "b", "z"], ["y"], name="n")
    given = {"a": (np.uint8, [2, 3]), "b": (np.uint8, [3, 2]), "z": (np.int8, [])}
    ready = loaded(model_of([node], given, {"y": (np.int32, [2, 2])}), tmp_path)
    with pytest.raises(recurra.onnx.OnnxError, match="zero point must be of uint8"):
        ready(whole(2, 3), whole(3, 2), np.array(1, I8))


HUGE = {
    "a size between": ("Resize", {}, {"sizes": np.array([2**40, 1])}),
    "a scale": ("Resize", {}, {"scales": np.array([2.0**40, 1], F)}),
    "no room": ("Resize", {}, {"sizes": np.array([2**31, 0])}),
    "a block": ("QuantizeLinear", {"block_size": 2**40, "axis": 0}, {"scale": np.ones((1, 2), F)}),
    "an output": ("ConvTranspose", {"output_shape": [2**40]}, {"w": random(2, 1, 3)}),
    "pads": ("ConvTranspose", {"pads": [2**20, 2**20]}, {"w": random(2, 1, 3)}),
    "a stride": ("ConvTranspose", {"strides": [2**40]}, {"w": random(2, 1, 3)}),
}


@pytest.mark.parametrize("kind", HUGE)
def test_results_of_no_size_or_too_large_are_refused(kind, tmp_path):
    name, attributes, known = HUGE[kind]
    left_out = {"sizes": ["", "", "sizes"], "scales": ["", "scales"]}
    node = helper.make_node(name, ["x", *left_out.get(*known, list(known))], ["y"], **attributes)
    x = random(*((1, 2, 4) if name == "ConvTranspose" else (4, 2)))
    y = (np.uint8 if name == "QuantizeLinear" else F, None)
    with pytest.raises(recurra.onnx.OnnxError, match=r"shape|blocks|window"):
        loaded(model_of([node], {"x": x}, {"y": y}, known), tmp_path)(x)
