"""Whole models: calls, torch's exports, graphs inside of graphs, data files, dependencies."""

import subprocess
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import recurra
from recurra.onnx import OnnxError, load
from recurra.onnx.loading.tensors import Tensors
from tests.onnx.models import loaded, lstm_model, model_of, scan_model, sub

F = np.float32


# ---- calls of a model ----


def affine(**further):
    """y = x · w + b and z = y · y, where b may be left out."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "b"], ["y"]),
        helper.make_node("Mul", ["y", "y"], ["z"]),
    ]
    inputs = {"x": (F, ["batch", 2]), "b": (F, [3])}
    constants = {"w": np.arange(6, dtype=F).reshape(2, 3), "b": np.ones(3, F)}
    return model_of(nodes, inputs, {"y": (F, ["batch", 3]), "z": (F, ["batch", 3])}, constants, **further)


def test_what_a_model_says_of_itself(tmp_path):
    model = loaded(affine(), tmp_path)
    assert [(each.name, each.shape, each.dtype, each.is_optional) for each in model.inputs] == [
        ("x", ("batch", 2), np.dtype(F), False),
        ("b", (3,), np.dtype(F), True),
    ]
    assert [each.name for each in model.outputs] == ["y", "z"]
    assert str(model.inputs[0]) == "x: float32 (batch, 2)"
    assert repr(model) == (
        "<GraphModel model.onnx: x: float32 (batch, 2); b: float32 (3) (optional) → "
        "y: float32 (batch, 3); z: float32 (batch, 3)>"
    )


def test_ways_to_call(tmp_path):
    model = loaded(affine(), tmp_path)
    x, w, b = np.array([[1, 2]], F), np.arange(6, dtype=F).reshape(2, 3), np.full(3, 5, F)
    for result in (model(x), model(x=x), tuple(model.run(None, {"x": x}))):
        assert isinstance(result, tuple)
        np.testing.assert_array_equal(result[0], x @ w + 1)
        np.testing.assert_array_equal(result[1], (x @ w + 1) ** 2)
    for y, _ in (model(x, b), model(x, b=b), model([[1, 2]], [5, 5, 5]), model(torch.tensor(x), b)):
        np.testing.assert_array_equal(y, x @ w + 5)
    z, y = model.run(["z", "y"], {"x": x})
    np.testing.assert_array_equal(z, y * y)
    assert model.run([], {"x": x}) == []
    one = loaded(model_of([helper.make_node("Neg", ["x"], ["y"])], {"x": x}, {"y": x}), tmp_path)
    np.testing.assert_array_equal(one(x), -x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, x: model(), "model.onnx needs input x; it has x: float32 (batch, 2); b:"),
        (lambda model, x: model(x, x, x), "model.onnx takes 2 inputs, not 3"),
        (lambda model, x: model(x, x=x), "input 'x' is given twice"),
        (lambda model, x: model(x, c=x), "model.onnx has no input 'c'"),
        (lambda model, x: model.run(["c"], {"x": x}), "model.onnx has no output 'c'; it has y, z"),
        (
            lambda model, x: model(x.astype(np.float64)),
            "the array has dtype float64; convert it with .astype('float32')",
        ),
        (lambda model, x: model(x[0]), "input x: float32 (batch, 2): the array has shape (2,)"),
        (lambda model, x: model(x[:, :1]), "input x: float32 (batch, 2): the array has shape (1, 1)"),
        (lambda model, x: model("x"), "input x: float32 (batch, 2) cannot be made of str"),
        (lambda model, x: model(None), "input x: float32 (batch, 2)"),
        (lambda model, x: model([[1], [1, 2]]), "input x: float32 (batch, 2) cannot be made of list"),
    ],
)
def test_bad_calls(call, message, tmp_path):
    with pytest.raises(OnnxError) as caught:
        call(loaded(affine(), tmp_path), np.ones((1, 2), F))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [[1.7], [True], [[0.5]], ["a"]])
def test_numbers_of_another_kind_are_no_whole_numbers(given, tmp_path):
    whole = (np.int64, [None])
    model = loaded(model_of([helper.make_node("Neg", ["x"], ["y"])], {"x": whole}, {"y": whole}), tmp_path)
    np.testing.assert_array_equal(model([1, 2]), [-1, -2])
    assert model([]).shape == (0,)
    with pytest.raises(OnnxError, match="input x: int64"):
        model(given)


@pytest.mark.parametrize("places", ["input", "output", "both"])
def test_what_goes_in_and_out_may_have_no_shape(places, tmp_path):
    """The checker of the package onnx asks for shapes; runtimes do not."""
    proto = affine()
    if places != "output":
        proto.graph.input[0].type.tensor_type.ClearField("shape")
    if places != "input":
        proto.graph.output[1].type.tensor_type.ClearField("shape")
    x = np.ones((3, 2), F)
    onnx.save(proto, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for ours, theirs in zip(load(tmp_path / "m.onnx")(x), session.run(None, {"x": x}), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_results_belong_to_the_caller(tmp_path):
    """No output shares memory with an input, a constant or another output."""
    x = np.ones((2, 2), F)
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Transpose", ["x"], ["view"]),
        helper.make_node("Identity", ["c"], ["constant"]),
        helper.make_node("Neg", ["x"], ["one"]),
        helper.make_node("Identity", ["one"], ["other"]),
    ]
    names = ["same", "view", "constant", "one", "other"]
    model = loaded(model_of(nodes, {"x": x}, dict.fromkeys(names, x), {"c": x}), tmp_path)
    first = model(x)
    for result in first:
        result[:] = 7
    assert (x == 1).all()
    assert [float(result[0, 0]) for result in model(x)] == [1, 1, 1, -1, -1]


def test_initializers_of_old_files_are_no_inputs(tmp_path):
    proto = affine(ir_version=3, opset=8)
    proto.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 3]))
    model = loaded(proto, tmp_path)
    assert [each.name for each in model.inputs] == ["x"]
    np.testing.assert_array_equal(model(np.ones((1, 2), F))[0], [[4, 6, 8]])


def test_several_threads_may_call_a_model(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    model = loaded(lstm_model(), tmp_path)
    xs = [np.random.default_rng(seed).standard_normal((9, 2, 4)).astype(F) for seed in range(8)]
    alone = [model(x) for x in xs]
    with ThreadPoolExecutor(4) as pool:
        for result, expected in zip(pool.map(model, xs * 4), alone * 4, strict=True):
            np.testing.assert_array_equal(result, expected)


# ---- torch's exports ----


class Tagger(torch.nn.Module):
    """A network that gives a class for each word of a text, and one vector for the text."""

    def __init__(self, kind):
        super().__init__()
        self.embedding = torch.nn.Embedding(30, 8)
        self.convolution = torch.nn.Conv1d(8, 10, 3, padding=1)
        layer = getattr(torch.nn, kind)
        self.layer = layer(10, 12, 2, batch_first=True, bidirectional=True, dropout=0.3)
        self.norm, self.linear = torch.nn.LayerNorm(24), torch.nn.Linear(24, 5)

    def forward(self, words):
        x = torch.relu(self.convolution(self.embedding(words).transpose(1, 2))).transpose(1, 2)
        y, _ = self.layer(x)
        y = self.norm(y)
        return torch.log_softmax(self.linear(y), -1), y.mean(1)


class Stepper(torch.nn.Module):
    """A network that takes a state and returns the next one."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = torch.nn.LSTM(4, 6, 2), torch.nn.BatchNorm1d(6)

    def forward(self, x, h, c):
        y, (h, c) = self.layer(x, (h, c))
        return self.norm(y[-1]), h, c


class Packed(torch.nn.Module):
    """A network over sequences of different lengths."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.GRU(4, 6, bidirectional=True)

    def forward(self, x, lengths):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, h = self.layer(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(y)[0], h


class Cells(torch.nn.Module):
    """Cells in a Python loop, which becomes a graph of single steps."""

    def __init__(self):
        super().__init__()
        self.cells = torch.nn.ModuleList([torch.nn.GRUCell(4, 4), torch.nn.LSTMCell(4, 4), torch.nn.RNNCell(4, 4)])

    def forward(self, x):
        h = c = torch.zeros(x.shape[1], 4)
        g = r = h
        for step in x:
            g = self.cells[0](step, g)
            h, c = self.cells[1](g, (h, c))
            r = self.cells[2](h, r)
        return r


def exported(module, arguments, folder, names, **further):
    path = folder / "torch.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns that it is old, and of types that it cannot infer
        torch.onnx.export(module, arguments, str(path), dynamo=False, input_names=names, **further)
    return load(path)


def agree(model, module, arguments):
    with torch.no_grad():
        expected = module(*arguments)
    results = model(*(each.numpy() for each in arguments))
    results, expected = (v if isinstance(v, tuple) else (v,) for v in (results, expected))
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value.numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("opset", [9, 12, 13, 17, 20])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_torch_taggers(kind, opset, tmp_path):
    torch.manual_seed(0)
    module, words = Tagger(kind).eval(), torch.randint(0, 30, (3, 7))
    axes = {"words": {0: "batch", 1: "time"}}
    model = exported(module, (words,), tmp_path, ["words"], opset_version=opset, dynamic_axes=axes)
    agree(model, module, (words,))
    agree(model, module, (torch.randint(0, 30, (2, 11)),))


def test_torch_states_lengths_and_cells(tmp_path):
    torch.manual_seed(0)
    x, state = torch.randn(5, 3, 4), torch.randn(2, 2, 3, 6)
    stepper = Stepper().eval()
    agree(exported(stepper, (x, *state), tmp_path, ["x", "h", "c"]), stepper, (x, *state))
    packed, axes = Packed(), {"x": {0: "T", 1: "B"}, "lengths": {0: "B"}}
    model = exported(packed, (x, torch.tensor([2, 5, 3])), tmp_path, ["x", "lengths"], dynamic_axes=axes)
    agree(model, packed, (x, torch.tensor([2, 5, 3])))
    agree(model, packed, (torch.randn(9, 2, 4), torch.tensor([9, 1])))
    cells = Cells()
    agree(exported(cells, (x,), tmp_path, ["x"]), cells, (x,))


# ---- graphs inside of graphs ----


def both(proto, feeds, folder):
    """The outputs of onnx's evaluator and of the loaded model."""
    return ReferenceEvaluator(proto).run(None, feeds), loaded(proto, folder).run(None, feeds)


@pytest.mark.parametrize("directions", [(0,), (1,)])
def test_scans(directions, tmp_path):
    rng = np.random.default_rng(1)
    feeds = {"h_0": rng.standard_normal((4, 3)).astype(F), "x": rng.standard_normal((6, 4, 2)).astype(F)}
    session = onnxruntime.InferenceSession(scan_model(directions).SerializeToString())
    for result, value in zip(
        loaded(scan_model(directions), tmp_path).run(None, feeds), session.run(None, feeds), strict=True
    ):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("condition", [True, False])
def test_branches_read_outer_values(condition, tmp_path):
    value = (TensorProto.FLOAT, [2])
    then = sub([helper.make_node("Add", ["a", "k"], ["s"])], {}, {"s": value})
    other = sub([helper.make_node("Mul", ["b", "k"], ["p"])], {}, {"p": value})
    nodes = [
        helper.make_node("Neg", ["x"], ["a"]),
        helper.make_node("Exp", ["x"], ["b"]),
        helper.make_node("If", ["condition"], ["y"], then_branch=then, else_branch=other),
    ]
    inputs = {"x": (F, [2]), "condition": (np.bool_, [])}
    proto = model_of(nodes, inputs, {"y": (F, [2])}, {"k": np.array([2, 3], F)})
    expected, results = both(proto, {"x": np.array([1, 2], F), "condition": np.array(condition)}, tmp_path)
    np.testing.assert_allclose(results[0], expected[0], rtol=1e-6)


@pytest.mark.parametrize(("times", "start"), [(5, True), (0, True), (5, False), (100, True)])
def test_loops(times, start, tmp_path):
    """x doubles until it is above 40; every value on the way is collected."""
    one, many, truth = (TensorProto.FLOAT, [2]), (TensorProto.FLOAT, [2]), (TensorProto.BOOL, [])
    nodes = [
        helper.make_node("Add", ["v", "v"], ["v_new"]),
        helper.make_node("ReduceMax", ["v_new"], ["top"], keepdims=0),
        helper.make_node("Less", ["top", "limit"], ["goes_on"]),
        helper.make_node("Identity", ["v"], ["seen"]),
    ]
    body = sub(
        nodes, {"i": (TensorProto.INT64, []), "c": truth, "v": one}, {"goes_on": truth, "v_new": one, "seen": many}
    )
    loop = helper.make_node("Loop", ["times", "start", "x"], ["last", "all"], body=body)
    inputs = {"times": (np.int64, []), "start": (np.bool_, []), "x": (F, [2])}
    proto = model_of([loop], inputs, {"last": (F, [2]), "all": (F, ["N", 2])}, {"limit": np.array(40, F)})
    feeds = {"times": np.array(times), "start": np.array(start), "x": np.array([1, 3], F)}
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    for result, value in zip(loaded(proto, tmp_path).run(None, feeds), session.run(None, feeds), strict=True):
        assert result.shape == value.shape
        np.testing.assert_array_equal(result, value)


def test_functions_of_a_model_are_put_in_place(tmp_path):
    square = helper.make_function(
        "own", "Square", ["v"], ["w"], [helper.make_node("Mul", ["v", "v"], ["w"])], [helper.make_opsetid("", 18)]
    )
    nodes = [helper.make_node("Square", ["x"], ["y"], domain="own")]
    proto = model_of(nodes, {"x": (F, [2])}, {"y": (F, [2])}, opset=18)
    proto.opset_import.append(helper.make_opsetid("own", 1))
    proto.functions.append(square)
    np.testing.assert_array_equal(loaded(proto, tmp_path)(np.array([2, 3], F)), [4, 9])


def test_what_is_known_is_computed_once(tmp_path):
    """The weights of this layer are computed from constants while loading; only the layer itself is left to run."""
    proto = lstm_model()
    w = proto.graph.node[0].input[1]
    proto.graph.node.insert(0, helper.make_node("Constant", [], ["half"], value_float=0.5))
    proto.graph.node.insert(1, helper.make_node("Mul", [w, "half"], ["small"]))
    proto.graph.node[2].input[1] = "small"
    model = loaded(proto, tmp_path)
    assert [step.label for step in model._graph.steps] == ["node 'layer' (LSTM)"]
    assert w not in model._graph.constants


# ---- data files ----


def with_data_file(folder, location="weights.bin", **place):
    """The LSTM with its weights in a file of their own."""
    proto = lstm_model()
    offset = 0
    content = b""
    for tensor in proto.graph.initializer:
        data = tensor.raw_data
        onnx.external_data_helper.set_external_data(
            tensor, **{"location": location, "offset": offset, "length": len(data), **place}
        )
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        content, offset = content + data, offset + len(data)
    return proto, content


def test_data_files_beside_the_model(tmp_path):
    proto, content = with_data_file(tmp_path, "data/weights.bin")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights.bin").write_bytes(content)
    x = np.random.default_rng(1).standard_normal((3, 2, 4)).astype(F)
    np.testing.assert_array_equal(loaded(proto, tmp_path)(x), loaded(lstm_model(), tmp_path, "whole.onnx")(x))


@pytest.mark.parametrize(
    ("location", "place", "message"),
    [
        ("../weights.bin", {}, "is no file in the model's folder"),
        ("inner/../../weights.bin", {}, "is no file in the model's folder"),
        ("link.bin", {}, "is no file in the model's folder"),
        ("missing.bin", {}, "there is no data file 'missing.bin'"),
        ("inner", {}, "is no file in the model's folder"),
        ("", {}, "is no file in the model's folder"),
        ("short.bin", {}, "needs 320 bytes at 0 of short.bin, which has 10"),
        ("whole.bin", {"length": 8}, "needs 320 bytes at 0 of whole.bin"),
        ("whole.bin", {"offset": 2**62}, f"needs 320 bytes at {2**62} of whole.bin"),
    ],
)
def test_data_files_elsewhere_or_too_short(location, place, message, tmp_path):
    inner = tmp_path / "models"
    (inner / "inner").mkdir(parents=True)
    proto, content = with_data_file(inner, location, **place)
    (tmp_path / "weights.bin").write_bytes(content)
    (inner / "whole.bin").write_bytes(content)
    (inner / "short.bin").write_bytes(content[:10])
    (inner / "link.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(OnnxError):
        loaded(proto, inner)
    with pytest.raises(OnnxError) as caught:  # without onnx's checker, which sees most of this too
        Tensors(inner / "model.onnx").read(proto.graph.initializer[0])
    assert message in str(caught.value)


def test_absolute_data_files_and_odd_numbers(tmp_path):
    proto, content = with_data_file(tmp_path)
    (tmp_path / "weights.bin").write_bytes(content)
    for key, value in (("location", str(tmp_path / "weights.bin")), ("offset", "-1"), ("length", "9" * 40)):
        changed = onnx.ModelProto()
        changed.CopyFrom(proto)
        next(entry for entry in changed.graph.initializer[0].external_data if entry.key == key).value = value
        with pytest.raises(OnnxError):
            loaded(changed, tmp_path)
        with pytest.raises(OnnxError):
            Tensors(tmp_path / "model.onnx").read(changed.graph.initializer[0])


# ---- dependencies ----


def test_neither_onnx_nor_torch_is_needed_after_loading(tmp_path):
    (tmp_path / "model.onnx").write_bytes(lstm_model().SerializeToString())
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['onnxruntime'] = None\n"
        "import numpy as np, recurra\n"
        "assert 'onnx' not in sys.modules\n"
        "recurra.onnx\n"
        "assert 'onnx' not in sys.modules\n"
        f"model = recurra.onnx.load({str(tmp_path / 'model.onnx')!r})\n"
        "for name in [name for name in sys.modules if name.split('.')[0] == 'onnx']: sys.modules[name] = None\n"
        "print(model(np.ones((3, 2, 4), np.float32)).shape)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(3, 1, 2, 5)"


def test_loading_without_onnx_says_what_to_install():
    code = "import sys; sys.modules['onnx'] = None\nimport recurra\nrecurra.onnx.load('model.onnx')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.rstrip().endswith('recurra.onnx.load needs onnx; run: pip install "recurra[onnx]"')


def test_every_engine_runs_a_model(tmp_path):
    model = loaded(lstm_model(), tmp_path)
    x = np.random.default_rng(1).standard_normal((7, 3, 4)).astype(F)
    with recurra.engine("reference"):
        expected = model(x)
    with recurra.engine("native"):
        np.testing.assert_allclose(model(x), expected, rtol=0, atol=1e-6)
