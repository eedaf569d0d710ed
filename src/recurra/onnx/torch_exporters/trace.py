"""The translations for ``torch.onnx.export(dynamo=False)``, which writes what torch.jit.trace has recorded.

That exporter has no graphs inside of nodes but those of If and Loop. So a call that needs a Scan becomes a node of
recurra's own domain, and a function of the model, which the exporter adds to the file, says what the node computes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from onnx import FunctionProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper
from torch.onnx import register_custom_op_symbolic  # type: ignore[attr-defined]
from torch.onnx.symbolic_helper import parse_args

from recurra.engines.torch_internals import onnx_translation
from recurra.errors import OnnxError
from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.packed_rows import PackedRows, pack
from recurra.onnx.torch_exporters.recorded import RecordedScan, written

TraceValue = Any  # of torch's graphs
TraceGraph = Any  # torch's writer of a graph
OLDEST = 18  # of the opsets: reductions take their axes as an input from 18 on
DOMAIN = "recurra"
_SUFFIXES = {"FLOAT": "f", "INT": "i", "STRING": "s", "TENSOR": "t", "FLOATS": "f", "INTS": "i", "STRINGS": "s"}


@parse_args("v", "v", "v", "v", "s", "is", "b", "b", "s", "is", "i")
def scan(
    g: TraceGraph,
    x: TraceValue,
    operands: TraceValue,
    batch_sizes: TraceValue,
    reset: TraceValue,
    program: str,
    sizes: Sequence[int],
    reverse: bool,
    traced: bool,
    engine: str,
    wanted: Sequence[int],
    checkpoint: int,
) -> TraceValue:
    """The output and last states of a call of ``recurra::scan``, as a list of the exporter's graph.

    Raises:
        OnnxError: the call cannot be written; the message says why.
    """
    if g.opset < OLDEST:
        raise OnnxError(f"recurra's layers need opset_version={OLDEST} or newer; got {g.opset}")
    recorded = RecordedScan.of(program, sizes, reverse, traced, wanted)
    states, parameters = recorded.split(list(operands.node().inputs()))
    given = {f"operand_{number}": value for number, value in enumerate((*states, *parameters))}
    optional = (("batch_sizes", batch_sizes), ("reset", reset))
    others = {name: value for name, value in optional if not value.node().mustBeNone()}
    dtype = x.type().dtype()
    proto = recorded.write("x", list(given), _name(dtype), {name: name for name in others})
    named = {"x": x, **given, **others}
    output, *last = _add(g, proto, named) if _is_flat(proto) else _call(g, recorded, proto, named)
    return g.op("prim::ListConstruct", output, *last)


def pack_padded_sequence(g: TraceGraph, *operands: TraceValue) -> Any:
    """The rows and step sizes of packed sequences; torch's own nodes where no layer of recurra runs over them."""
    is_recurras = _is_recurras(list(g.original_node.outputs())[1])
    return (_packed if is_recurras else onnx_translation("_pack_padded_sequence"))(g, *operands)


def pad_packed_sequence(g: TraceGraph, *operands: TraceValue) -> Any:
    """The padded batch and the lengths of packed rows; torch's own nodes where no layer of recurra runs over them."""
    is_recurras = _is_recurras(list(g.original_node.inputs())[1])
    return (_padded if is_recurras else onnx_translation("_pad_packed_sequence"))(g, *operands)


def _is_recurras(batch_sizes: TraceValue) -> bool:
    """Whether a layer of recurra runs over packed sequences with these step sizes."""
    return any(use.user.kind() == "recurra::scan" for use in batch_sizes.uses())


@parse_args("v", "v", "i")
def _packed(g: TraceGraph, padded: TraceValue, lengths: TraceValue, batch_first: int) -> Any:
    if batch_first:
        padded = g.op("Transpose", padded, perm_i=[1, 0, *range(2, padded.type().dim())])
    return tuple(_write(g, {"padded": padded, "lengths": lengths}, lambda graph: pack(graph, "padded", "lengths")))


@parse_args("v", "v", "i", "t", "v")
def _padded(
    g: TraceGraph,
    rows: TraceValue,
    batch_sizes: TraceValue,
    batch_first: int,
    padding: torch.Tensor,
    total_length: TraceValue,
) -> Any:
    # Where the caller gives no total length, torch passes the number of steps, which is computed.
    node = total_length.node()
    total = int(node.t("value")) if node.kind() == "onnx::Constant" else None
    fill = float(padding)

    def write(graph: GraphWriter) -> list[str]:
        batch = graph.node("Slice", "batch_sizes", graph.whole(0), graph.whole(1), graph.whole(0))
        packed = PackedRows(graph, "batch_sizes", batch)
        inside = graph.node("Unsqueeze", packed.inside, graph.whole(2))
        padded = graph.node("Where", inside, packed.padded("rows"), graph.number(fill))
        if total is not None:
            missing = graph.node("Sub", graph.whole(total), graph.node("Shape", "batch_sizes"))
            pads = graph.node("Concat", graph.whole(0, 0, 0), missing, graph.whole(0, 0), axis=0)
            padded = graph.node("Pad", padded, pads, graph.number(fill))
        return [padded, packed.lengths]

    padded, lengths = _write(g, {"rows": rows, "batch_sizes": batch_sizes}, write)
    if batch_first:
        padded = g.op("Transpose", padded, perm_i=[1, 0, 2])
    return padded, lengths


def _write(
    g: TraceGraph, named: dict[str, TraceValue], write: Callable[[GraphWriter], Sequence[str]]
) -> list[TraceValue]:
    """Add the nodes that a function writes to the exporter's graph; the results. The first value has the dtype."""
    dtype = next(iter(named.values())).type().dtype()
    return _add(g, written(list(named), _name(dtype), write), named)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _is_flat(proto: GraphProto) -> bool:
    return not any(attribute.HasField("g") for node in proto.node for attribute in node.attribute)


def _add(g: TraceGraph, proto: GraphProto, named: dict[str, TraceValue]) -> list[TraceValue]:
    """Add all nodes of a graph to the exporter's; the results."""
    values, absent = dict(named), onnx_translation("unused")
    for tensor in proto.initializer:
        values[tensor.name] = g.op("Constant", value_t=_tensor(tensor))
    for node in proto.node:
        inputs = [values[name] if name else absent(g) for name in node.input]
        outputs = g.op(node.op_type, *inputs, outputs=len(node.output), **_attributes(node))
        values.update(zip(node.output, outputs if len(node.output) > 1 else [outputs], strict=True))
    return [values[value.name] for value in proto.output]


def _attributes(node: NodeProto) -> dict[str, Any]:
    """A node's attributes as the exporter takes them: each name tells the type."""
    found = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        suffix = _SUFFIXES[attribute.AttributeType.Name(attribute.type)]
        if suffix == "s":
            value = value.decode() if isinstance(value, bytes) else [each.decode() for each in value]
        found[f"{attribute.name}_{suffix}"] = value
    return found


def _tensor(proto: TensorProto) -> torch.Tensor:
    return torch.from_numpy(numpy_helper.to_array(proto).copy())


@dataclass(frozen=True)
class _ModelFunction:
    """A function of the model, which the exporter adds to a file that has a node of its name."""

    proto: FunctionProto

    def __call__(self, *operands: TraceValue) -> TraceValue:
        """Refuse to translate a recorded operator: there is none of the function's name."""
        raise NotImplementedError(self.proto.name)

    def to_function_proto(self) -> FunctionProto:
        """The function as the exporter asks for it."""
        return self.proto


def _call(g: TraceGraph, recorded: RecordedScan, proto: GraphProto, named: dict[str, TraceValue]) -> list[TraceValue]:
    """Add a node that calls a function of a graph's nodes; its results."""
    for tensor in proto.initializer:
        constant = helper.make_node("Constant", [], [tensor.name], name=tensor.name, value=tensor)
        proto.node.insert(0, constant)
    content = hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()[:8]
    name = f"{re.sub('[^A-Za-z0-9_]', '_', recorded.program.name)}_{content}"
    function = helper.make_function(
        DOMAIN,
        name,
        [value.name for value in proto.input],
        [value.name for value in proto.output],
        list(proto.node),
        [helper.make_opsetid("", g.opset)],
        doc_string=str(recorded.program),
    )
    register_custom_op_symbolic(f"{DOMAIN}::{name}", _ModelFunction(function), 1)
    results = list(g.op(f"{DOMAIN}::{name}", *(named[value.name] for value in proto.input), outputs=len(proto.output)))
    shapes: Iterable[Sequence[Any]] = [
        [*[None] * (1 if "batch_sizes" in named else 2), recorded.program.output.width(recorded.sizes)],
        *([None, state.width(recorded.sizes)] for state in recorded.program.states),
    ]
    for result, shape in zip(results, shapes, strict=True):
        result.setType(named["x"].type().with_sizes(shape))
    return results
