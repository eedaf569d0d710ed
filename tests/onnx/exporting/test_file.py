"""The ONNX file itself: valid, named, documented, the same bytes every time, and written in one step."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn

import recurra
from recurra.errors import FileFormatError, OnnxError
from recurra.model.annotations import from_content
from recurra.nn import GRU, LSTM, Recurrent, RecurrentCell, Stack
from recurra.nn.parts import describe
from recurra.onnx.exporting import graph
from recurra.vocabulary import Vocabulary
from tests.onnx.exporting.exported import CELLS, File, assert_same, flat, layer_of
from tests.runtime.forecasters import forecaster, recipe


@pytest.mark.parametrize("name", CELLS)
def test_every_graph_is_valid(name, tmp_path):
    file = File(layer_of(name), tmp_path)
    onnx.checker.check_model(file.proto, full_check=True)
    assert file.proto.producer_name == "recurra"
    assert file.proto.producer_version == recurra.__version__
    assert [(each.domain, each.version) for each in file.proto.opset_import] == [("", 18)]
    assert file.proto.ir_version == 8


def test_dimensions(tmp_path):
    file = File(LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True), tmp_path, lengths=True)
    shown = {}
    for value in (*file.proto.graph.input, *file.proto.graph.output):
        kind = value.type.tensor_type
        shown[value.name] = kind.elem_type, [d.dim_param or d.dim_value for d in kind.shape.dim]
    real = TensorProto.FLOAT
    assert shown == {
        "x": (real, ["batch", "seq_len", 5]),
        "lengths": (TensorProto.INT64, ["batch"]),
        "h_0": (real, [4, "batch", 6]),
        "c_0": (real, [4, "batch", 6]),
        "output": (real, ["batch", "seq_len", 12]),
        "h_n": (real, [4, "batch", 6]),
        "c_n": (real, [4, "batch", 6]),
    }


def test_nodes_name_their_part(tmp_path):
    torch.manual_seed(0)
    model = Stack(nn.Linear(3, 4), nn.Sequential(Recurrent(recurra.cells.mgu, 4, 5, bidirectional=True)))
    nodes = File(model, tmp_path).proto.graph.node
    assert "0 (Linear)" in {node.doc_string for node in nodes}
    scans = [node for node in nodes if node.op_type == "Scan"]
    assert [node.doc_string.splitlines()[0] for node in scans] == [
        "1.0 (Recurrent): layer 0, forwards",
        "1.0 (Recurrent): layer 0, backwards",
    ]
    assert "f = sigmoid(x @ W_f + h @ U_f + b_f)" in scans[0].doc_string
    names = [node.name for node in nodes]
    assert all(names)
    assert len(set(names)) == len(names)


def test_weights_have_torch_s_names(tmp_path):
    model = Stack(nn.Linear(3, 4), Recurrent(recurra.cells.mgu, 4, 5))
    weights = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in File(model, tmp_path).proto.graph.initializer
    }
    mine = model.state_dict()
    for name in ("0.weight", "0.bias", "1.U_f_l0", "1.U_n_l0", "1.b_f_l0", "1.b_n_l0"):
        assert (weights[name] == mine[name].numpy()).all()
    joined = torch.cat([mine["1.W_f_l0"], mine["1.W_n_l0"]], 1).numpy()
    assert any(array.shape == joined.shape and (array == joined).all() for array in weights.values())


@pytest.mark.parametrize("name", CELLS)
def test_loops_read_nothing_from_outside_but_weights(name, tmp_path):
    """A body reads weights alone from outside, as some runtimes allow nothing else; the rest are its inputs."""
    graph = File(layer_of(name, bidirectional=name != "intersection"), tmp_path, lengths=True).proto.graph
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        for body in (attribute.g for attribute in node.attribute if attribute.name == "body"):
            own = {value.name for value in body.input} | {output for inner in body.node for output in inner.output}
            assert {name for inner in body.node for name in inner.input} <= own | weights


def test_optional_states_and_required_ones(tmp_path):
    layer, x = layer_of("lstm"), np.zeros((2, 3, 5), np.float32)
    optional, required = (File(layer, tmp_path, optional_states=each) for each in (True, False))
    zeros = np.zeros((1, 3, 6), np.float32)
    for mine, other in zip(optional.run({"x": x}), required.run({"x": x, "h_0": zeros, "c_0": zeros}), strict=True):
        assert (mine == other).all()
    assert optional.names == required.names
    defaults = {"h_0", "c_0"}
    assert defaults <= {tensor.name for tensor in optional.proto.graph.initializer}
    assert not defaults & {tensor.name for tensor in required.proto.graph.initializer}
    with pytest.raises(ValueError, match="h_0"):
        required.run({"x": x})


def test_names_that_meet(tmp_path):
    """A cell whose parameters and states have the names of the graph's own inputs and outputs."""

    @recurra.cell
    def confusing(u, x, output, *, h_0, x_0, lengths, batch):
        x = recurra.tanh(u @ h_0 + x @ x_0 + lengths)
        output = output * batch + x
        return x, output

    torch.manual_seed(0)
    one, x = RecurrentCell(confusing, 3, 4), torch.randn(2, 3)
    results = flat(one(x))
    file = File(one, tmp_path)
    assert file.names == (["x", "x_0", "output_0"], ["output", "x_n", "output_n"])
    assert_same(file, {"x": x.numpy()}, [results[0], *results], torch.float32)


def metadata(model, folder):
    return {entry.key: json.loads(entry.value) for entry in File(model, folder).proto.metadata_props}


def test_a_vocabulary_goes_with_the_model(tmp_path):
    vocabulary = Vocabulary("char", ["<unk>", "a", "ß", "\n"])
    description = describe(Stack(nn.Embedding(4, 3), GRU(3, 3), nn.Linear(3, 4)), {"vocabulary": vocabulary})
    content = metadata(description, tmp_path)
    assert content.keys() == {"recurra.vocabulary", "recurra.annotations"}
    assert content["recurra.vocabulary"] == {"level": "char", "tokens": ["<unk>", "a", "ß", "\n"]}
    assert from_content(content["recurra.annotations"])["vocabulary"].tokens == vocabulary.tokens


def test_a_recipe_goes_with_the_forecaster(tmp_path):
    made = recipe("h", known=("prömo",))
    content = metadata(forecaster(made), tmp_path)
    assert content.keys() == {"recurra.annotations"}
    assert from_content(content["recurra.annotations"])["forecaster"] == made


def test_without_annotations_there_is_no_metadata(tmp_path):
    assert metadata(GRU(2, 3), tmp_path) == {}


def test_the_same_bytes_in_another_process(tmp_path):
    code = (
        "import sys, torch, recurra; torch.manual_seed(0)\n"
        "layer = recurra.nn.Recurrent(recurra.cells.layer_norm_lstm, 3, 4, num_layers=2, bidirectional=True)\n"
        "recurra.onnx.export(layer, sys.argv[1], lengths=True)\n"
    )
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", code, tmp_path / name], check=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_there_stays_until_the_new_file_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with pytest.raises(FileFormatError, match="features"):
        recurra.onnx.export(Stack(nn.Linear(2, 3), nn.Linear(2, 3)), path)
    monkeypatch.setattr(graph, "MAX_BYTES", 100)
    with pytest.raises(OnnxError, match="the weights take more than 100 bytes; an ONNX file cannot hold 2 GiB"):
        recurra.onnx.export(GRU(5, 6), path)
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(OnnxError, match=r"model\.onnx cannot be written: No such file or directory"):
        recurra.onnx.export(GRU(2, 2), tmp_path / "nowhere" / "model.onnx")


def test_without_torch(tmp_path):
    """A saved model becomes an ONNX file where torch is not installed."""
    recurra.save(GRU(2, 3), tmp_path / "model.safetensors")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import recurra.onnx, recurra.runtime\n"
        "recurra.onnx.export(recurra.runtime.load(sys.argv[1]), sys.argv[2])\n"
    )
    paths = tmp_path / "model.safetensors", tmp_path / "model.onnx"
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    onnx.checker.check_model(str(paths[1]), full_check=True)


def test_without_onnx_it_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['onnx'] = None\nimport recurra.onnx; recurra.onnx.export(None, 'model.onnx')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.stderr.rstrip().endswith('recurra.onnx.export needs onnx; run: pip install "recurra[onnx]"')
