"""The translation for ``torch.onnx.export(dynamo=True)``: the nodes of a scan as torch's intermediate form has them."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir
from onnx import GraphProto

from recurra.engines.torch_internals import recorded_onnx_nodes
from recurra.onnx.torch_exporters.recorded import RecordedScan


def scan(
    x: onnx_ir.Value,
    operands: Sequence[onnx_ir.Value],
    batch_sizes: onnx_ir.Value | None,
    reset: onnx_ir.Value | None,
    program: str,
    sizes: Sequence[int],
    reverse: bool,
    traced: bool,
    engine: str,
    wanted: Sequence[int],
    checkpoint: int,
) -> list[onnx_ir.Value]:
    """Add the nodes of a call of ``recurra::scan`` to the graph that is being recorded: output and last states.

    Raises:
        OnnxError: the call cannot be written; the message says why.
    """
    recorded = RecordedScan.of(program, sizes, reverse, traced, wanted)
    states, parameters = recorded.split(operands)
    given = {f"operand_{number}": value for number, value in enumerate((*states, *parameters))}
    others = {name: value for name, value in (("batch_sizes", batch_sizes), ("reset", reset)) if value is not None}
    assert x.dtype is not None
    proto = recorded.write("x", list(given), x.dtype.numpy().name, {name: name for name in others})
    return _add(proto, {"x": x, **given, **others})


def _add(proto: GraphProto, actual: dict[str, onnx_ir.Value]) -> list[onnx_ir.Value]:
    """Add all nodes of a graph to the one that is being recorded; the results."""
    graph, nodes = onnx_ir.from_proto(proto), recorded_onnx_nodes()
    for name, initializer in list(graph.initializers.items()):
        constant = onnx_ir.node("Constant", [], {"value": initializer.const_value})
        onnx_ir.convenience.replace_all_uses_with(initializer, constant.outputs[0])
        del graph.initializers[name]
        nodes.append(constant)
    for value in list(graph.inputs):
        onnx_ir.convenience.replace_all_uses_with(value, actual[value.name])
    results, own = list(graph.outputs), list(graph)
    graph.outputs.clear()
    graph.remove(own)
    for node in own:  # the graph that takes them names them
        node.name = None
        for value in node.outputs:
            value.name = None
    nodes.extend(own)
    return results
