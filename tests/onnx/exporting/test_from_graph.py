"""Graphs as ONNX files: onnxruntime computes what the graph computes, and what is loaded is written again."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

import recurra
from recurra.errors import OnnxError
from recurra.graph.build import build
from recurra.graph.declaration import Declaration
from recurra.graph.graph import GraphNode
from tests.graph.graphs import F, branching_graph, recurrent_graph, recurrent_model

X = np.random.default_rng(2).normal(size=(5, 2, 3)).astype(F)
H = np.random.default_rng(3).normal(size=(2, 4)).astype(F)


def written(model, path):
    recurra.onnx.export(model, path)
    return onnxruntime.InferenceSession(str(path))


@pytest.mark.parametrize("reverse", [0, 1])
def test_cells_become_onnx_nodes(reverse, tmp_path):
    model = build(recurrent_graph(reverse=reverse), "m")
    session = written(model, tmp_path / "m.onnx")
    for own, result in zip(model(X, H), session.run(None, {"x": X, "h_in": H}), strict=True):
        np.testing.assert_allclose(result, own, atol=1e-6)


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_lengths_of_a_cell_are_written(kind, reverse, tmp_path):
    given = recurrent_graph(reverse=reverse)
    scan, relu = given.graph.nodes
    scan = replace(scan, inputs=(scan.inputs[0], "lengths", *scan.inputs[2:]))
    inputs = (*given.graph.inputs, Declaration("lengths", ("B",), np.dtype(kind)))
    model = build(replace(given, graph=replace(given.graph, inputs=inputs, nodes=(scan, relu))), "m")
    lengths = np.array([5, 2], kind)
    session = written(model, tmp_path / "m.onnx")
    feeds = {"x": X, "h_in": H, "lengths": lengths}
    for own, result in zip(model(X, H, lengths), session.run(None, feeds), strict=True):
        np.testing.assert_allclose(result, own, atol=1e-6)


def test_nodes_of_one_name_get_different_ones(tmp_path):
    given = recurrent_graph()
    scan, relu = given.graph.nodes
    nodes = (scan, replace(relu, name="part", outputs=("p",)), GraphNode("Neg", ("p",), ("y",), {}, "part"))
    model = build(replace(given, graph=replace(given.graph, nodes=nodes)), "m")
    result = written(model, tmp_path / "m.onnx").run(None, {"x": X, "h_in": H})[0]
    np.testing.assert_allclose(result, model(X, H)[0], atol=1e-6)


def test_inner_graphs_and_defaults(tmp_path):
    model, x = build(branching_graph(), "m"), np.array([[1, -2], [3, 4]], F)
    session = written(model, tmp_path / "m.onnx")
    np.testing.assert_allclose(session.run(None, {"x": x})[0], model(x))
    np.testing.assert_allclose(session.run(None, {"x": x, "flag": np.array(False)})[0], model(x, False))


def test_a_loaded_model_is_saved_and_written_again(tmp_path):
    written(recurrent_model(), tmp_path / "m.onnx")
    loaded = recurra.onnx.load(tmp_path / "m.onnx")
    recurra.save(loaded, tmp_path / "m.safetensors")
    saved = recurra.runtime.load(tmp_path / "m.safetensors")
    for own, result in zip(loaded(X, H), saved(X, H), strict=True):
        np.testing.assert_array_equal(result, own)
    session = written(saved, tmp_path / "again.onnx")
    np.testing.assert_allclose(session.run(None, {"x": X, "h_in": H})[0], loaded(X, H)[0], atol=1e-6)


def test_options_of_layers_are_refused(tmp_path):
    for options in ({"lengths": True}, {"optional_states": False}, {"opset": 18}):
        with pytest.raises(OnnxError, match="m is a graph: it is written with its own inputs, and in its own opset 20"):
            recurra.onnx.export(recurrent_model(), tmp_path / "m.onnx", **options)
