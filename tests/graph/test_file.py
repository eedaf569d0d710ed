"""Files of graphs: the same numbers come back, and every kind of damage is one line."""

import io
import json

import numpy as np
import pytest

import recurra.runtime
from recurra.errors import FileFormatError
from recurra.graph.build import build
from recurra.graph.file import graph_contents, graph_of
from recurra.graph.file import write_graph as write
from recurra.graph.halves import HalfArrays
from recurra.graph.serial import from_text, to_text
from recurra.model.file import GRAPH_KEY
from recurra.model.safetensors import Tensor, pack
from tests.graph.graphs import F, branching_graph, recurrent_graph

GRAPHS = {"recurrent": recurrent_graph, "branching": branching_graph}
X = np.random.default_rng(1).normal(size=(5, 2, 3)).astype(F)


def test_a_file_gives_the_same_bits(tmp_path):
    write(recurrent_graph(), tmp_path / "m.safetensors")
    loaded, own = recurra.runtime.load(tmp_path / "m.safetensors"), build(recurrent_graph(), "m")
    given = (X, np.zeros((2, 4), F))
    for a, b in zip(loaded(*given), own(*given), strict=True):
        np.testing.assert_array_equal(a, b)
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


def test_inner_graphs_defaults_and_attributes_come_back(tmp_path):
    write(branching_graph(), tmp_path / "m.safetensors")
    model = recurra.runtime.load(tmp_path / "m.safetensors")
    x = np.array([[1, -2], [3, 4]], F)
    np.testing.assert_array_equal(model(x), ((x + 1) * [[2], [3]]).T)
    np.testing.assert_array_equal(model(x, False), (np.where(x < 0, x / 2, x) * [[2], [3]]).T)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_text_comes_back(name):
    text, arrays = to_text(GRAPHS[name]())
    assert to_text(from_text(text, arrays)) == (text, arrays)


def test_numbers_that_are_not_finite_come_back():
    graph = branching_graph()
    graph.graph.nodes[1].attributes["other"] = (float("inf"), float("-inf"))
    text, arrays = to_text(graph)
    assert from_text(text, arrays).graph.nodes[1].attributes["other"] == (float("inf"), float("-inf"))


def changed(change):
    """The recurrent graph's text after a change of its content."""
    text, arrays = to_text(recurrent_graph())
    content = json.loads(text)
    change(content, content["graph"])
    return json.dumps(content), arrays


def named_twice(content, graph):
    graph["nodes"][1]["outputs"] = ["o"]


DAMAGE = {
    "version 2": (lambda c, g: c.update(version=2), "not a graph of the format"),
    "another opset": (lambda c, g: c.update(opset=3), "opset 3 of the operators is not known"),
    "a field too many": (lambda c, g: g.update(code="x"), "not known: ['code']"),
    "an unknown dtype": (lambda c, g: g["inputs"][0].update(dtype="float8"), "dtype 'float8' is not known"),
    "a negative size": (lambda c, g: g["inputs"][0].update(shape=[-1]), "a shape has sizes"),
    "a value of nobody": (lambda c, g: g["nodes"][1].update(inputs=["q"]), "'Relu' reads 'q', which nothing before"),
    "a value twice": (named_twice, "value 'o' is computed twice"),
    "an output of nobody": (lambda c, g: g["outputs"][0].update(name="q"), "no node computes output 'q'"),
    "an array of nobody": (lambda c, g: g["tensors"].update(a="q"), "the file has no array 'q'"),
    "an array too many": (lambda c, g: g["tensors"].pop("d") and g["nodes"][0]["inputs"].pop(), "belongs to no tensor"),
    "two inputs of one name": (lambda c, g: g["inputs"][1].update(name="x"), "two inputs have one name"),
    "an attribute of no kind": (
        lambda c, g: g["nodes"][1].update(attributes={"a": {"pickle": 1}}), "unknown kind 'pickle'",
    ),
    "a truth value as number": (
        lambda c, g: g["nodes"][0]["attributes"].update(reverse={"int": True}), "True is no whole number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused(name):
    change, message = DAMAGE[name]
    text, arrays = changed(change)
    with pytest.raises(FileFormatError) as caught:
        from_text(text, arrays)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, g: g["nodes"][1].update(operator="Frob"), "operators that are not supported: Frob"),
        (lambda c, g: g["nodes"][0]["attributes"].update(sizes={"ints": [3, 5, 0]}), "must be (15, 3)"),
        (lambda c, g: g["nodes"][0]["attributes"].update(sizes={"ints": [3, 2**30, 0]}), "larger than"),
        (lambda c, g: g["nodes"][0]["attributes"].update(program={"text": "{}"}), "attribute program"),
    ],
)
def test_what_cannot_be_built_is_refused(change, message, tmp_path):
    text, arrays = changed(change)
    tensors = {name: Tensor("F32", array) for name, array in arrays.items()}
    (tmp_path / "m.safetensors").write_bytes(b"".join(pack(tensors, {GRAPH_KEY: text})))
    with pytest.raises(FileFormatError) as caught:
        recurra.runtime.load(tmp_path / "m.safetensors")
    assert message in str(caught.value)


def test_truth_values_are_0_or_1(tmp_path):
    tensors, metadata = graph_contents(branching_graph())
    content = b"".join(pack(tensors, metadata))
    (tmp_path / "m.safetensors").write_bytes(content[:-1] + b"\x07")
    with pytest.raises(FileFormatError, match="of truth values"):
        recurra.runtime.load(tmp_path / "m.safetensors")


def test_bfloat16_arrays_are_float32_in_the_graph():
    tensors, metadata = graph_contents(recurrent_graph())
    bits = np.arange(36, dtype=np.uint16).reshape(tensors["a"].data.shape) + 0x3F80
    tensors["a"] = Tensor("BF16", bits)
    halves = HalfArrays()
    model, _ = graph_of(tensors, metadata, halves)
    halves.fill()
    array = next(each for each in model.graph.tensors.values() if each.shape == bits.shape)
    assert np.array_equal(array, (bits.astype(np.uint32) << 16).view(np.float32))
    again, _ = graph_contents(model)
    assert {name: tensor.dtype for name, tensor in again.items()} == {
        name: each.dtype for name, each in tensors.items()
    }


def test_readers_of_layers_say_what_the_file_holds(tmp_path):
    from recurra.conversion.reading import read

    write(recurrent_graph(), tmp_path / "m.safetensors")
    with pytest.raises(FileFormatError, match=r"graph of operators, not layers: recurra\.runtime\.load runs it"):
        read(tmp_path / "m.safetensors")


def test_a_header_whose_length_begins_as_a_pickle_is_read():
    """The first byte is 0x80: that of pickles, and of headers of 128, 384 … bytes."""
    from recurra.conversion.files import read_known

    content = b"".join(pack({"x": Tensor("F32", np.zeros(2, F))}, {"note": "n" * 47}))
    assert content[0] == 0x80
    assert read_known(io.BytesIO(content), len(content)) is None
