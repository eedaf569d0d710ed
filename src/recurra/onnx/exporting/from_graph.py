"""A graph of operators as an ONNX model: its nodes as they are, cells as ONNX's own nodes or Scans."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, checker, helper, numpy_helper
from onnx.checker import ValidationError

from recurra.errors import OnnxError
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Attribute, Graph, GraphNode, ModelGraph
from recurra.graph.operators.cell_scan import OWN
from recurra.graph.table import STANDARD
from recurra.onnx.exporting.graph import GraphWriter, Store
from recurra.onnx.exporting.scan_call import ScanCall, write_call
from recurra.program import Sizes, from_json


def from_graph(model: ModelGraph) -> ModelProto:
    """The ONNX model of a graph, checked.

    Raises:
        OnnxError: ONNX has no form of it; the message says why.
    """
    from recurra.version import __version__

    dtypes = [model.graph.tensors[node.inputs[-1]].dtype for node in model.graph.nodes if _is_own(node, model.graph)]
    dtype = np.dtype(np.float64) if np.dtype(np.float64) in dtypes else np.dtype(np.float32)
    store = Store(dtype, _names(model.graph))
    for name, array in model.graph.tensors.items():
        store.add_as(name, array)
    proto = _graph(model.graph, store, "graph")
    proto.initializer.extend(store.tensors)
    others = {node.domain for node in _all_nodes(model.graph)} - {*STANDARD, OWN}
    imports = [helper.make_opsetid("", model.opset), *(helper.make_opsetid(name, 1) for name in sorted(others))]
    made = helper.make_model(
        proto,
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports, ignore_unknown=True),
        producer_name="recurra",
        producer_version=__version__,
    )
    try:
        checker.check_model(made, full_check=not others)
    except (ValidationError, RuntimeError) as error:
        raise OnnxError(f"the graph is no valid ONNX model: {' '.join(str(error).split())[:500]}") from None
    return made


def _is_own(node: GraphNode, graph: Graph) -> bool:
    return node.domain == OWN and node.inputs[-1] in graph.tensors


def _all_nodes(graph: Graph) -> list[GraphNode]:
    """The nodes of a graph, and of the graphs inside it."""
    inner = [value for node in graph.nodes for value in node.attributes.values() if isinstance(value, Graph)]
    return [*graph.nodes, *(node for each in inner for node in _all_nodes(each))]


def _names(graph: Graph) -> set[str]:
    """All names of values, which nothing new may have."""
    names = {each.name for each in (*graph.inputs, *graph.outputs)} | set(graph.tensors)
    for node in graph.nodes:
        names |= {*node.inputs, *node.outputs}
        for value in node.attributes.values():
            names |= _names(value) if isinstance(value, Graph) else set()
    return names


def _graph(graph: Graph, store: Store, name: str) -> GraphProto:
    writer = GraphWriter(store)
    uses: Counter[str] = Counter()
    for node in graph.nodes:
        if node.domain == OWN:
            _write_cell(writer, node)
            continue
        uses[node.name] += 1  # onnxruntime refuses a second node of the same name
        own = node.name if not node.name or uses[node.name] == 1 else f"{node.name}/{uses[node.name]}"
        made = helper.make_node(node.operator, node.inputs, node.outputs, name=own, domain=node.domain)
        made.attribute.extend(_attribute(key, value, store) for key, value in node.attributes.items())
        writer.nodes.append(made)
    return writer.proto(name, [_declared(each) for each in graph.inputs], [_declared(each) for each in graph.outputs])


def _write_cell(writer: GraphWriter, node: GraphNode) -> None:
    """Write a CellScan as ONNX's own node, or as a Scan of its program."""
    program, sizes = from_json(str(node.attributes["program"])), Sizes(*_whole(node.attributes["sizes"]))
    count = len(program.states)
    x, lengths, *operands = node.inputs
    with writer.part(f"{node.name}/", f"{node.name}: {program.name}"):
        whole = writer.node("Cast", lengths, to=TensorProto.INT64) if lengths else None
        is_reverse = bool(node.attributes.get("reverse", 0))
        call = ScanCall(program, sizes, is_reverse, x, operands[:count], operands[count:], lengths=whole)
        for value, wanted in zip(write_call(writer, call), node.outputs, strict=False):
            if wanted:
                writer.node("Identity", value, into=wanted)


def _whole(value: Attribute) -> tuple[int, ...]:
    assert isinstance(value, tuple)
    return tuple(int(each) for each in value)


def _attribute(name: str, value: Attribute, store: Store) -> AttributeProto:
    if isinstance(value, Graph):
        inner = _graph(value, store, name)
        inner.initializer.extend(numpy_helper.from_array(array, key) for key, array in value.tensors.items())
        return helper.make_attribute(name, inner)
    if isinstance(value, np.ndarray):
        return helper.make_attribute(name, numpy_helper.from_array(np.asarray(value, order="C")))
    kind: Any = AttributeProto.INTS if value == () else None
    return helper.make_attribute(name, value, attr_type=kind)


def _declared(declared: Declaration) -> Any:
    if declared.dtype is None:
        raise OnnxError(f"value {declared.name}: ONNX needs the dtype of inputs and outputs, which is not known")
    element = helper.np_dtype_to_tensor_dtype(declared.dtype)
    return helper.make_tensor_value_info(declared.name, element, declared.shape)
