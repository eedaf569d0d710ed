"""Builds a GraphModel from a ModelProto: looks every node up in the operator table, computes known values once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import OnnxError
from recurra.onnx.loading import operators  # noqa: F401  (fills the table)
from recurra.onnx.loading.declaration import Declaration
from recurra.onnx.loading.dtypes import read_dtype
from recurra.onnx.loading.graph import NodeStep, RunnableGraph
from recurra.onnx.loading.model import GraphModel
from recurra.onnx.loading.table import NEWEST, OLDEST, REFUSALS, Array, NodeInfo, find, opsets

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

    from recurra.onnx.loading.tensors import Tensors

_SHOWN = 20  # problems in one message
_STANDARD = ("", "ai.onnx")  # both name the standard's own operators
_FIRST_WITH_DEFAULTS = 4  # the first version of the format in which an initializer may be the default of an input
_RUN_LATER = ("If", "Loop", "Scan")  # never while loading, as they may take any time
_LARGEST_COMPUTED = 2**26  # bytes of a node's known outputs; a node with larger ones runs when the model runs
_MOST_COMPUTED = 2**28  # bytes of all nodes' known outputs together
# Nodes that may take long for small outputs: they are computed while loading only if all their operands are small.
_LABORIOUS = ("MatMul", "Gemm", "Einsum", "Conv", "MaxPool", "AveragePool")
_MOST_WORK = 2**22  # elements of one operand times those of the others


def build(proto: ModelProto, tensors: Tensors, name: str) -> GraphModel:
    """Build the model of a file's content.

    Args:
        proto: the content, checked by ``onnx.checker``.
        tensors: reads its tensors.
        name: the model's name in messages.

    Raises:
        OnnxError: something in it is not supported; the message lists up to 20 problems and counts the others.
    """
    opset = next((each.version for each in proto.opset_import if each.domain in _STANDARD), OLDEST)
    if not OLDEST <= opset <= NEWEST:
        raise OnnxError(f"{name}: opset {opset} is not supported, only {OLDEST} to {NEWEST}")
    builder = _Builder(opset, tensors)
    defaults: dict[str, Array] = {}
    if proto.ir_version >= _FIRST_WITH_DEFAULTS:
        named = {each.name for each in proto.graph.input}
        defaults = builder.initializers(each for each in proto.graph.initializer if each.name in named)
    graph = builder.graph(proto.graph, {}, defaults)
    if builder.problems:
        shown = "; ".join(builder.problems[:_SHOWN])
        more = f"; and {len(builder.problems) - _SHOWN} more" if len(builder.problems) > _SHOWN else ""
        raise OnnxError(f"{name} cannot be loaded: {shown}{more}")
    return GraphModel(graph, defaults, name)


class _Builder:
    """Builds graphs, and collects as problems all that is not supported."""

    def __init__(self, opset: int, tensors: Tensors) -> None:
        self._opset, self._tensors = opset, tensors
        self.problems: list[str] = []
        self._left = _MOST_COMPUTED  # bytes that nodes may still make while loading

    def graph(
        self, proto: GraphProto, outer: Mapping[str, Array], defaults: Mapping[str, Array] | None = None
    ) -> RunnableGraph:
        """Build a graph.

        Args:
            proto: its content.
            outer: the known values of the graphs around it.
            defaults: initial values of inputs; they do not count as known, as a caller may give others.
        """
        for each in proto.sparse_initializer:
            self.problems.append(f"sparse initializer {each.values.name!r}")
        defaults = defaults or {}
        own = {each.name for each in proto.input}
        outer = {name: value for name, value in outer.items() if name not in own}
        known = {**outer, **self.initializers(each for each in proto.initializer if each.name not in defaults)}
        inputs = [self._declaration(each, each.name in defaults) for each in proto.input if each.name not in known]
        steps = []
        for number, node in enumerate(proto.node):
            step = self._step(node, number, known)
            if step is not None:
                steps.append(step)
        outputs = tuple(self._declaration(each, False) for each in proto.output)
        return _assemble(tuple(inputs), outputs, known, steps)

    def initializers(self, protos: Iterable[TensorProto]) -> dict[str, Array]:
        """Initializers by name; one whose type is not supported is a problem, and becomes an empty array."""
        return {proto.name: self._tensor(proto, f"initializer {proto.name!r}") for proto in protos}

    def _tensor(self, proto: TensorProto, label: str) -> Array:
        try:
            read_dtype(proto.data_type)
        except ValueError as problem:
            self.problems.append(f"{label}: {problem}")
            return np.zeros(0, np.float32)
        array = self._tensors.read(proto)
        self._left += 4 * array.nbytes  # a model with more weights may compute more of them
        return array

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

    def _step(self, proto: NodeProto, number: int, known: dict[str, Array]) -> NodeStep | None:
        """Build a node; None if its outputs are now known, or if it is not supported."""
        label = f"node {proto.name or number!r} ({proto.op_type})"
        problems = len(self.problems)
        row = find(proto.op_type, self._opset) if proto.domain in _STANDARD else None
        if row is None:
            self.problems.append(f"{label}: {self._unknown(proto)}")
            return None
        if row.outputs is not None and any(proto.output[row.outputs :]):
            self.problems.append(f"{label}: output {row.outputs + 1} is not supported")
        attributes = {}
        for attribute in proto.attribute:
            if attribute.name not in row.attributes:
                self.problems.append(f"{label}: attribute {attribute.name} is not supported")
                continue
            value = self._attribute(attribute, label, known)
            try:
                attributes[attribute.name] = row.attributes[attribute.name](value)
            except REFUSALS as problem:
                self.problems.append(f"{label}: attribute {attribute.name}: {problem}")
        if len(self.problems) > problems:
            return None
        graphs = [value for value in attributes.values() if isinstance(value, RunnableGraph)]
        captured = tuple(sorted({name for graph in graphs for name in graph.captured}))
        inputs, outputs = tuple(proto.input), tuple(proto.output)
        info = NodeInfo(
            tuple(map(bool, inputs)), tuple(map(bool, outputs)), tuple(known.get(name) for name in inputs), captured
        )
        try:
            step = NodeStep(label, row.build(info, **attributes), (*inputs, *captured), outputs)
        except REFUSALS as problem:
            self.problems.append(f"{label}: {problem}")
            return None
        if proto.op_type in _RUN_LATER or not all(name in known for name in step.inputs if name):
            return step
        operands = [known[name] for name in step.inputs if name]
        work = math.prod(max(1, operand.size) for operand in operands) if proto.op_type in _LABORIOUS else 0
        return step if work > _MOST_WORK or not self._compute_now(step, known) else None

    def _compute_now(self, step: NodeStep, known: dict[str, Array]) -> bool:
        """Run a node whose inputs are known; return whether its outputs are now known, too."""
        inputs = {name: known[name] for name in step.inputs if name}
        values = dict(inputs)
        try:
            with np.errstate(all="ignore"):
                step.run(values)
        except OnnxError:
            return False  # the model may never run this node
        results = {name: values[name] for name in step.outputs if name}
        size = sum(array.nbytes for array in results.values() if array.flags.owndata)
        if size > _LARGEST_COMPUTED + _size(inputs) or size > self._left:
            return False
        self._left -= size
        known.update({name: _frozen(array) for name, array in results.items()})
        return True

    def _unknown(self, proto: NodeProto) -> str:
        if proto.domain not in _STANDARD:
            return f"operators of domain {proto.domain} are not supported"
        others = opsets(proto.op_type)
        if not others:
            return "the operator is not supported"
        ranges = " and ".join(f"{since} to {until}" for since, until in others)
        return f"the operator is not supported at opset {self._opset}, only {ranges}"

    def _attribute(self, proto: AttributeProto, label: str, known: Mapping[str, Array]) -> Any:
        """An attribute's value: a number, a text, a tuple of them, an array or a graph."""
        from onnx import AttributeProto, helper

        if proto.type == AttributeProto.TENSOR:
            return self._tensor(proto.t, f"{label}: attribute {proto.name}")
        if proto.type == AttributeProto.GRAPH:
            return self.graph(proto.g, known)
        value = helper.get_attribute_value(proto)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if proto.type in (AttributeProto.FLOATS, AttributeProto.INTS):
            return tuple(value)
        if proto.type == AttributeProto.STRINGS:
            return tuple(each.decode("utf-8", "replace") for each in value)
        return value


def _size(values: Mapping[str, Array]) -> int:
    return sum(array.nbytes for array in values.values())


def _frozen(array: Array) -> Array:
    array = array.view()
    array.flags.writeable = False
    return array


def _assemble(
    inputs: tuple[Declaration, ...], outputs: tuple[Declaration, ...], known: Mapping[str, Array], steps: list[NodeStep]
) -> RunnableGraph:
    """Assemble the graph of these steps: add the known values that they read, and mark each value's last use."""
    wanted = {output.name for output in outputs}
    read = set(wanted)
    finishing: list[NodeStep] = []
    for step in reversed(steps):
        names = {name for name in (*step.inputs, *step.outputs) if name}
        finished = tuple(sorted(name for name in names - read if name not in known))
        read |= names
        finishing.append(replace(step, finished=finished))
    computed = {each.name for each in inputs} | {name for step in steps for name in step.outputs}
    constants = {name: known[name] for name in sorted(read) if name in known and name not in computed}
    captured = tuple(sorted(read - computed - set(constants) - {""}))
    return RunnableGraph(inputs, outputs, constants, tuple(reversed(finishing)), captured)
