"""Builds a GraphModel from a graph: looks every node up in the operator table, computes known values once."""

from __future__ import annotations

import copyreg
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.errors import OnnxError
from recurra.graph import operators  # noqa: F401  (fills the table)
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Attribute, Graph, GraphNode, ModelGraph
from recurra.graph.model import GraphModel
from recurra.graph.quantized_pairs import in_whole_numbers
from recurra.graph.refusals import GraphRefusals
from recurra.graph.running import NodeStep, RunnableGraph
from recurra.graph.table import NEWEST, OLDEST, REFUSALS, Array, NodeInfo, find

_RUN_LATER = ("If", "Loop", "Scan")  # never while loading, as they may take any time
_LARGEST_COMPUTED = 2**26  # bytes of a node's known outputs; a node with larger ones runs when the model runs
_MOST_COMPUTED = 2**28  # bytes of all nodes' known outputs together
# Nodes that may take long for small outputs: they are computed while loading only if all their operands are small.
_LABORIOUS = (
    "MatMul", "Gemm", "Einsum", "Conv", "ConvTranspose", "MaxPool", "AveragePool", "MatMulInteger", "ConvInteger",
    "QLinearMatMul", "QLinearConv", "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
)  # fmt: skip
_MOST_WORK = 2**22  # elements of one operand times those of the others


def build(model: ModelGraph, name: str, problems: Sequence[str] = ()) -> GraphModel:
    """Build the model of a graph.

    Args:
        model: the graph.
        name: the model's name in messages.
        problems: facts about the file behind it that are not supported. Default: none.

    Raises:
        OnnxError: something in it is not supported; the message counts the operators, and lists up to 20 other facts.
    """
    if not OLDEST <= model.opset <= NEWEST:
        raise OnnxError(f"{name}: opset {model.opset} is not supported, only {OLDEST} to {NEWEST}")
    builder = _Builder(model.opset, problems)
    defaults = {each.name: model.graph.tensors[each.name] for each in model.graph.inputs if each.is_optional}
    graph = builder.graph(in_whole_numbers(model.graph, model.opset), {})
    if builder.refusals:
        raise OnnxError(f"{name} cannot be loaded: {builder.refusals.text()}")
    return GraphModel(graph, defaults, name, model)


# A model is copied and pickled as its graph, and built again.
copyreg.pickle(GraphModel, lambda model: (build, (model.source, model.name)))


class _Builder:
    """Builds graphs, and collects all that is not supported."""

    def __init__(self, opset: int, problems: Iterable[str]) -> None:
        self._opset = opset
        self.refusals = GraphRefusals(problems)
        self._left = _MOST_COMPUTED  # bytes that nodes may still make while loading

    def graph(self, graph: Graph, outer: Mapping[str, Array]) -> RunnableGraph:
        """Build a graph.

        Args:
            graph: the graph as data.
            outer: the known values of the graphs around it.
        """
        own = {each.name for each in graph.inputs}
        outer = {name: value for name, value in outer.items() if name not in own}
        # The default of an input does not count as known, as a caller may give another value.
        known = {**outer, **{name: array for name, array in graph.tensors.items() if name not in own}}
        self._left += 4 * sum(array.nbytes for array in graph.tensors.values())  # with more weights more is computed
        steps = []
        for number, node in enumerate(graph.nodes):
            step = self._step(node, number, known)
            if step is not None:
                steps.append(step)
        return _assemble(graph.inputs, graph.outputs, known, steps)

    def _step(self, node: GraphNode, number: int, known: dict[str, Array]) -> NodeStep | None:
        """Build a node; None if its outputs are now known, or if it is not supported."""
        refused = len(self.refusals)
        row = find(node.operator, self._opset, node.domain)
        if row is None:
            self.refusals.add_operator(node, self._opset)
            return None
        if row.outputs is not None and any(node.outputs[row.outputs :]):
            self.refusals.add(node, number, f"output {row.outputs + 1} is not supported")
        attributes = {}
        for name, value in node.attributes.items():
            if name not in row.attributes or value is None:
                self.refusals.add(node, number, f"attribute {name} is not supported")
                continue
            try:
                attributes[name] = row.attributes[name](self._argument(value, known))
            except REFUSALS as problem:
                self.refusals.add(node, number, f"attribute {name}: {problem}")
        for name in sorted(row.required - node.attributes.keys()):
            self.refusals.add(node, number, f"attribute {name} is missing")
        if len(self.refusals) > refused:
            return None
        graphs = [value for value in attributes.values() if isinstance(value, RunnableGraph)]
        captured = tuple(sorted({name for graph in graphs for name in graph.captured}))
        inputs, outputs = node.inputs, node.outputs
        info = NodeInfo(
            tuple(map(bool, inputs)), tuple(map(bool, outputs)), tuple(known.get(name) for name in inputs), captured
        )
        try:
            function, label = row.build(info, **attributes), node.label(number)
            step = NodeStep(label, function, (*inputs, *captured), outputs, (), node.operator, attributes)
        except REFUSALS as problem:
            self.refusals.add(node, number, str(problem))
            return None
        if node.operator in _RUN_LATER or not all(name in known for name in step.inputs if name):
            return step
        operands = [known[name] for name in step.inputs if name]
        work = math.prod(max(1, operand.size) for operand in operands) if node.operator in _LABORIOUS else 0
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

    def _argument(self, value: Attribute, known: Mapping[str, Array]) -> Any:
        """An attribute's value as operators take it: an inner graph is built."""
        if isinstance(value, Graph):
            return self.graph(value, known)
        if isinstance(value, np.ndarray):
            self._left += 4 * value.nbytes
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
