"""A graph to and from JSON; its tensors are arrays of the file around the text. Every field is checked when read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.errors import FileFormatError
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Attribute, Graph, GraphNode, ModelGraph
from recurra.graph.table import NEWEST, OLDEST, Array
from recurra.model.content import fields
from recurra.program.serial import shown, strict_json

FORMAT = "recurra-graph"
VERSION = 1
MAX_NODES = 20_000
MAX_DEPTH = 16  # of inner graphs
MAX_NAME = 500  # characters of a value's name
MAX_TEXT = 2**20  # characters of an attribute
MAX_LIST = 10_000  # items of an attribute
MAX_DIMENSIONS = 32
_LARGEST = 2**63
_DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
)  # fmt: skip
_NUMBERS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_NODE, _MORE_OF_NODE = ("operator", "inputs", "outputs"), ("attributes", "name", "domain")


def to_text(model: ModelGraph) -> tuple[str, dict[str, Array]]:
    """A graph as JSON, and the arrays that belong to it, by the names that the text uses."""
    arrays: dict[str, Array] = {}
    content = {"format": FORMAT, "version": VERSION, "opset": model.opset, "graph": _graph_out(model.graph, arrays)}
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False), arrays


def from_text(text: str, arrays: Mapping[str, Array]) -> ModelGraph:
    """The graph that ``to_text`` was given.

    Args:
        text: the JSON.
        arrays: the arrays of the file by name; their numbers may come later.

    Raises:
        FileFormatError: the text is no graph, goes beyond a cap, or names other arrays than those of the file.
    """
    try:
        content = strict_json(text)
    except ValueError as error:
        raise FileFormatError(f"the graph is damaged: {error}") from None
    given = fields(content, "the graph's text", ("format", "version", "opset", "graph"))
    if given["format"] != FORMAT or type(given["version"]) is not int or given["version"] != VERSION:
        raise FileFormatError(f"not a graph of the format {FORMAT}, version {VERSION}")
    opset = given["opset"]
    if type(opset) is not int or not OLDEST <= opset <= NEWEST:
        raise FileFormatError(f"opset {shown(opset)} of the operators is not known, only {OLDEST} to {NEWEST}")
    reader = _GraphFileReader(arrays)
    graph = reader.graph(given["graph"], frozenset(), 0)
    unused = arrays.keys() - reader.used
    if unused:
        raise FileFormatError(f"array {min(unused)[:100]} belongs to no tensor of the graph")
    return ModelGraph(graph, opset)


def _graph_out(graph: Graph, arrays: dict[str, Array]) -> dict[str, Any]:
    tensors = {name: _array_out(name, array, arrays) for name, array in graph.tensors.items()}
    return {
        "inputs": [_declaration_out(each) for each in graph.inputs],
        "outputs": [_declaration_out(each) for each in graph.outputs],
        "tensors": tensors,
        "nodes": [_node_out(node, arrays) for node in graph.nodes],
    }


def _array_out(name: str, array: Array, arrays: dict[str, Array]) -> str:
    """Enter an array under a name that is free and that a file can have."""
    base = name if 0 < len(name) <= MAX_NAME - 10 and name.isprintable() else "tensor"
    own, number = base, 1
    while own in arrays and arrays[own] is not array:
        own, number = f"{base}.{number}", number + 1
    arrays[own] = array
    return own


def _declaration_out(declared: Declaration) -> dict[str, Any]:
    dtype = None if declared.dtype is None else declared.dtype.name
    shape = None if declared.shape is None else list(declared.shape)
    content = {"name": declared.name, "dtype": dtype, "shape": shape}
    return {**content, "optional": True} if declared.is_optional else content


def _node_out(node: GraphNode, arrays: dict[str, Array]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "operator": node.operator,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
    }
    if node.attributes:
        content["attributes"] = {name: _attribute_out(value, arrays) for name, value in node.attributes.items()}
    for name, text in (("name", node.name), ("domain", node.domain)):
        if text:
            content[name] = text
    return content


def _attribute_out(value: Attribute, arrays: dict[str, Array]) -> dict[str, Any]:
    if isinstance(value, Graph):
        return {"graph": _graph_out(value, arrays)}
    if isinstance(value, np.ndarray):
        return {"tensor": _array_out("constant", value, arrays)}
    if isinstance(value, tuple):
        kind = next((kind for kind in (str, float) if value and isinstance(value[0], kind)), int)
        return {_LISTS[kind]: [_number_out(each) for each in value]}
    return {_ITEMS[type(value)]: _number_out(value)}


def _number_out(value: Any) -> Any:
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


_ITEMS: Mapping[type, str] = {int: "int", float: "float", str: "text"}
_LISTS: Mapping[type, str] = {int: "ints", float: "floats", str: "texts"}


class _GraphFileReader:
    """Reads graphs of a text, whose tensors are these arrays."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        self._nodes = 0
        self.used: set[str] = set()

    def graph(self, content: Any, outer: frozenset[str], depth: int) -> Graph:
        """Read a graph that may use the values of these names."""
        if depth > MAX_DEPTH:
            raise FileFormatError(f"graphs in graphs deeper than {MAX_DEPTH}")
        given = fields(content, "a graph", ("inputs", "outputs", "tensors", "nodes"))
        if not isinstance(given["tensors"], dict):
            raise FileFormatError("'tensors' must hold names of arrays by name")
        tensors = {_value_name(name): self._array(array) for name, array in given["tensors"].items()}
        inputs = tuple(_declaration_in(each) for each in _items(given["inputs"], MAX_NODES))
        names = [each.name for each in inputs]
        if len(set(names)) < len(names):
            raise FileFormatError("two inputs have one name")
        for each in inputs:
            if each.is_optional != (each.name in tensors):
                raise FileFormatError(f"input {shown(each.name)} is optional if and only if a tensor has its name")
        if depth and any(each.is_optional for each in inputs):
            raise FileFormatError("an input of an inner graph cannot be optional")
        known, own = {*outer, *tensors, *names}, {*tensors, *names}
        nodes = []
        for each in _items(given["nodes"], MAX_NODES):
            node = self._node(each, known, depth)
            for name in filter(None, node.outputs):
                if name in own:
                    raise FileFormatError(f"value {shown(name)} is computed twice")
                own.add(name)
                known.add(name)
            nodes.append(node)
        outputs = tuple(_declaration_in(each) for each in _items(given["outputs"], MAX_NODES))
        for each in outputs:
            if each.name not in known or each.is_optional:
                raise FileFormatError(f"no node computes output {shown(each.name)}")
        if not depth and len({each.name for each in outputs}) < len(outputs):
            raise FileFormatError("two outputs have one name")
        return Graph(inputs, outputs, tuple(nodes), tensors)

    def _array(self, name: Any) -> Array:
        if not isinstance(name, str) or name not in self._arrays:
            raise FileFormatError(f"the file has no array {shown(name)}")
        self.used.add(name)
        return self._arrays[name]

    def _node(self, content: Any, known: set[str], depth: int) -> GraphNode:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise FileFormatError(f"more than {MAX_NODES} nodes")
        given = fields(content, "a node", _NODE, _MORE_OF_NODE)
        texts = [given["operator"], given.get("name", ""), given.get("domain", "")]
        if not all(isinstance(text, str) and len(text) <= MAX_NAME for text in texts):
            raise FileFormatError("operator, name and domain of a node must be texts")
        inputs, outputs = (
            tuple(_value_name(name) if name != "" else "" for name in _items(given[which], MAX_LIST))
            for which in ("inputs", "outputs")
        )
        for name in filter(None, inputs):
            if name not in known:
                raise FileFormatError(
                    f"{shown(given['operator'])} reads {shown(name)}, which nothing before it computes"
                )
        attributes = given.get("attributes", {})
        if not isinstance(attributes, dict):
            raise FileFormatError("'attributes' must be an object")
        values = {name: self._attribute(value, known, depth) for name, value in attributes.items()}
        operator, label, domain = texts
        return GraphNode(operator, inputs, outputs, values, label, domain)

    def _attribute(self, content: Any, known: set[str], depth: int) -> Attribute:
        if not isinstance(content, dict) or len(content) != 1:
            raise FileFormatError("an attribute must be an object with its kind and value")
        ((kind, value),) = content.items()
        if kind == "graph":
            return self.graph(value, frozenset(known), depth + 1)
        if kind == "tensor":
            return self._array(value)
        if kind in _READERS:
            return _READERS[kind](value)
        if kind.endswith("s") and kind[:-1] in _READERS:
            return tuple(_READERS[kind[:-1]](each) for each in _items(value, MAX_LIST))
        raise FileFormatError(f"an attribute of the unknown kind {shown(kind)}")


def _items(content: Any, most: int) -> list[Any]:
    if not isinstance(content, list) or len(content) > most:
        raise FileFormatError(f"a list of at most {most} expected")
    return content


def _value_name(content: Any) -> str:
    if not isinstance(content, str) or not 0 < len(content) <= MAX_NAME:
        raise FileFormatError(f"{shown(content)} is no name of a value: not 1 to {MAX_NAME} characters")
    return content


def _declaration_in(content: Any) -> Declaration:
    given = fields(content, "an input or output", ("name", "dtype", "shape"), ("optional",))
    dtype, shape = given["dtype"], given["shape"]
    if dtype is not None and (not isinstance(dtype, str) or dtype not in _DTYPES):
        raise FileFormatError(f"dtype {shown(dtype)} is not known, only {', '.join(_DTYPES)}")
    if shape is not None:
        sizes = _items(shape, MAX_DIMENSIONS)
        if not all(size is None or _is_size(size) for size in sizes):
            raise FileFormatError("a shape has sizes, names of sizes or null")
    optional = given.get("optional", False)
    if type(optional) is not bool:
        raise FileFormatError("'optional' must be true or false")
    return Declaration(
        _value_name(given["name"]),
        None if shape is None else tuple(shape),
        None if dtype is None else np.dtype(dtype),
        optional,
    )


def _is_size(size: Any) -> bool:
    return (type(size) is int and 0 <= size < _LARGEST) or (isinstance(size, str) and 0 < len(size) <= MAX_NAME)


def _whole(content: Any) -> int:
    if type(content) is not int or not -_LARGEST <= content < _LARGEST:
        raise FileFormatError(f"{shown(content)} is no whole number")
    return content


def _real(content: Any) -> float:
    if isinstance(content, str) and content in _NUMBERS:
        return _NUMBERS[content]
    if type(content) not in (int, float) or not math.isfinite(content):
        raise FileFormatError(f"{shown(content)} is no number")
    return float(content)


def _text(content: Any) -> str:
    if not isinstance(content, str) or len(content) > MAX_TEXT:
        raise FileFormatError(f"{shown(content)} is no text of at most {MAX_TEXT} characters")
    return content


_READERS: Mapping[str, Any] = {"int": _whole, "float": _real, "text": _text}
