"""Reads an ONNX model's content from protobuf as a graph, plain data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from recurra.graph.declaration import Declaration
from recurra.graph.dtypes import read_dtype
from recurra.graph.graph import Attribute, Graph, GraphNode, ModelGraph
from recurra.graph.table import OLDEST, STANDARD, Array

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

    from recurra.onnx.loading.tensors import Tensors

_FIRST_WITH_DEFAULTS = 4  # the first version of the format in which an initializer may be the default of an input


def read(proto: ModelProto, tensors: Tensors) -> tuple[ModelGraph, list[str]]:
    """Read a file's content.

    Args:
        proto: the content, checked by ``onnx.checker``.
        tensors: reads its tensors.

    Returns:
        The model as a graph, and problems: all in the file that no graph can hold.

    Raises:
        OnnxError: the data of a tensor cannot be read.
    """
    opset = next((each.version for each in proto.opset_import if each.domain in STANDARD), OLDEST)
    reader = _GraphReader(tensors)
    graph = reader.graph(proto.graph, has_defaults=proto.ir_version >= _FIRST_WITH_DEFAULTS)
    return ModelGraph(graph, opset), reader.problems


class _GraphReader:
    """Reads graphs, and collects as problems all that they cannot hold."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self.problems: list[str] = []

    def graph(self, proto: GraphProto, *, has_defaults: bool = False) -> Graph:
        """Read a graph; with ``has_defaults`` a tensor with the name of an input is the input's default."""
        for each in proto.sparse_initializer:
            self.problems.append(f"sparse initializer {each.values.name!r}")
        known = self._initializers(proto.initializer)
        inputs = tuple(
            self._declaration(each, each.name in known)
            for each in proto.input
            if has_defaults or each.name not in known
        )
        nodes = tuple(self._node(node, number) for number, node in enumerate(proto.node))
        return Graph(inputs, tuple(self._declaration(each, False) for each in proto.output), nodes, known)

    def _initializers(self, protos: Iterable[TensorProto]) -> dict[str, Array]:
        """Initializers by name; one whose type is not supported is a problem, and becomes an empty array."""
        return {proto.name: self._tensor(proto, f"initializer {proto.name!r}") for proto in protos}

    def _tensor(self, proto: TensorProto, label: str) -> Array:
        try:
            read_dtype(proto.data_type)
        except ValueError as problem:
            self.problems.append(f"{label}: {problem}")
            return np.zeros(0, np.float32)
        return self._tensors.read(proto)

    def _declaration(self, proto: ValueInfoProto, is_optional: bool) -> Declaration:
        kind = proto.type.WhichOneof("value")
        if kind not in (None, "tensor_type"):
            self.problems.append(f"value {proto.name!r}: {kind} is not supported, only tensors")
        tensor, dtype, shape = proto.type.tensor_type, None, None
        if kind == "tensor_type" and tensor.elem_type:
            try:
                dtype = read_dtype(tensor.elem_type)
            except ValueError as problem:
                self.problems.append(f"value {proto.name!r}: {problem}")
        if kind == "tensor_type" and tensor.HasField("shape"):
            shape = tuple(
                (d.dim_value if d.dim_value >= 0 else None) if d.HasField("dim_value") else d.dim_param or None
                for d in tensor.shape.dim
            )  # some exporters write -1 for a size that is not known
        return Declaration(proto.name, shape, dtype, is_optional)

    def _node(self, proto: NodeProto, number: int) -> GraphNode:
        node = GraphNode(proto.op_type, tuple(proto.input), tuple(proto.output), {}, proto.name, proto.domain)
        label = node.label(number)
        attributes = {each.name: self._attribute(each, label) for each in proto.attribute}
        return GraphNode(node.operator, node.inputs, node.outputs, attributes, node.name, node.domain)

    def _attribute(self, proto: AttributeProto, label: str) -> Attribute:
        """An attribute's value: a number, a text, a tuple of them, an array or a graph; None if it is another thing."""
        from onnx import AttributeProto

        kinds = AttributeProto
        if proto.type == kinds.TENSOR:
            return self._tensor(proto.t, f"{label}: attribute {proto.name}")
        if proto.type == kinds.GRAPH:
            return self.graph(proto.g)
        values: dict[int, Attribute] = {
            kinds.FLOAT: proto.f,
            kinds.INT: proto.i,
            kinds.STRING: proto.s.decode("utf-8", "replace"),
            kinds.FLOATS: tuple(proto.floats),
            kinds.INTS: tuple(proto.ints),
            kinds.STRINGS: tuple(each.decode("utf-8", "replace") for each in proto.strings),
        }
        return values.get(proto.type)
