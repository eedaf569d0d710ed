"""Settling: walk a graph once with arrays that stay, and make the steps that compute it again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.engines import StepMaker
from recurra.engines.steps import SettledRun
from recurra.graph.running import NodeStep, RunnableGraph
from recurra.graph.settling.memory import Buffers, owner_of
from recurra.graph.settling.node import SETTLERS, SettlingNode
from recurra.graph.table import REFUSALS, Array

_BY_SHAPE = ("Shape", "Size")  # the result depends on the shape alone
_INNER = ("Loop", "Scan")  # operators with inner graphs, whose results may be any of their values


class ChangedShapeError(Exception):
    """A node's result has another shape or dtype than when it was settled: its graph cannot be settled."""


class SettledCall:
    """Calls of a graph with inputs of these shapes and dtypes. One thread at a time may use it.

    Attributes:
        nbytes: the memory that it holds.
    """

    def __init__(
        self,
        inputs: Mapping[str, Array],
        outputs: Sequence[Array],
        runs: Sequence[SettledRun],
        is_native: bool,
        nbytes: int,
    ) -> None:
        self._inputs, self._outputs, self._runs = inputs, outputs, runs
        self._is_native = is_native
        self.nbytes = nbytes

    def __call__(self, given: Mapping[str, Array]) -> list[Array]:
        """The outputs for these inputs by name, new arrays. Inputs that are not given stay as they were.

        Raises:
            ChangedShapeError: a shape depends on numbers.
        """
        for name, array in given.items():
            np.copyto(self._inputs[name], array)
        if self._is_native:
            for run in self._runs:
                run()
        else:
            with np.errstate(all="ignore"):
                for run in self._runs:
                    run()
        return self.results()

    def results(self) -> list[Array]:
        """The outputs of the last call; new arrays."""
        return [output.copy() for output in self._outputs]


def settle(graph: RunnableGraph, given: Mapping[str, Array], maker: StepMaker) -> SettledCall:
    """Settle a graph for inputs of these shapes and dtypes.

    Raises:
        OnnxError: an operator refuses its inputs.
        ChangedShapeError: a node's results are no arrays of numbers.
    """
    walk = _SettlingWalk(maker)
    inputs = {name: np.array(array, order="C") for name, array in given.items()}
    values = {**graph.constants, **inputs}
    known = set(graph.constants)
    outputs = walk.run(graph, values, known)
    nbytes = walk.buffers.nbytes + sum(array.nbytes for array in inputs.values())
    joined = maker.joined(walk.runs)
    return SettledCall(inputs, outputs, joined, maker.is_own(walk.runs), nbytes)


class _SettlingWalk:
    """A walk over a graph in the order of its nodes, which settles each."""

    def __init__(self, maker: StepMaker) -> None:
        self.maker, self.buffers = maker, Buffers()
        self.runs: list[SettledRun] = []

    def run(self, graph: RunnableGraph, values: dict[str, Array], known: set[str]) -> list[Array]:
        """Settle a graph's nodes; return its outputs.

        Args:
            graph: the graph.
            values: the arrays of inputs, constants and captured values; those of nodes are added.
            known: the names of values that never change; those of nodes are added.
        """
        readers: dict[str, list[NodeStep]] = {}
        for step in graph.steps:
            for name in step.inputs:
                readers.setdefault(name, []).append(step)
        kept = {output.name for output in graph.outputs}

        def follower(name: str) -> NodeStep | None:
            found = readers.get(name, [])
            return found[0] if len(found) == 1 and name not in kept and found[0].operator not in _INNER else None

        own = {name for step in graph.steps for name in step.outputs}
        taken: set[int] = set()
        for step in graph.steps:
            if id(step) not in taken:
                node = self._settle(step, values, known, follower)
                taken.update(map(id, node.taken))
                for name in (name for each in (step, *node.taken) for name in each.finished if name in own):
                    if name in values and name not in known:
                        self.buffers.release(values.pop(name))
        return [values[output.name] for output in graph.outputs]

    def _settle(self, step: NodeStep, values: dict[str, Array], known: set[str], follower: Any) -> SettlingNode:
        inputs = [values[name] if name else None for name in step.inputs]
        are_known = [not name or name in known for name in step.inputs]

        def constant(name: str) -> Array | None:
            return values[name] if name in known else None

        around = (self.maker, self.buffers, follower, constant, values.get)
        node = SettlingNode(step, inputs, are_known, *around)
        if (all(are_known) and step.operator not in _INNER) or step.operator in _BY_SHAPE:
            values.update(self._computed(step, inputs))
            known.update(name for name in step.outputs if name)
            return node
        outputs: Sequence[Array | None] | None = None
        if step.operator == "If":
            outputs = self._branch(node, values, known)
        settle_node = SETTLERS.get(step.operator)
        if outputs is None and settle_node is not None:
            try:
                outputs = settle_node(node)
                for run in node.runs:
                    run()
            except REFUSALS:  # the operator's own function says what is wrong, or computes it
                outputs = None
                node = SettlingNode(step, inputs, are_known, *around)
        if outputs is None:
            outputs = self._by_function(node)
        self.runs += node.runs
        for name, array in zip(node.outputs, outputs, strict=False):
            if name:
                values[name] = array
                self.buffers.use(array)
        node.forget()
        return node

    def _computed(self, step: NodeStep, inputs: Sequence[Array | None]) -> dict[str, Array]:
        """The results of a node, computed by its function, by name."""
        arrays = {f"{number}": array for number, array in enumerate(inputs)}
        names = tuple("" if array is None else number for number, array in arrays.items())
        results: dict[str, Any] = dict(arrays)
        NodeStep(step.label, step.function, names, step.outputs).run(results)
        return {name: results[name] for name in step.outputs if name}

    def _by_function(self, node: SettlingNode) -> list[Array]:
        """Settle a node by its operator's own function, which runs in each call unless all results are views."""
        step = node.step
        results = self._computed(step, node.inputs)
        owners = {id(owner_of(array)) for array in self._varying(node)}
        is_plain = len(owners) == 1 and step.operator not in (*_INNER, "If")
        if is_plain and all(id(owner_of(result)) in owners for result in results.values()):
            return [results.get(name) for name in step.outputs]
        outputs = [
            self.buffers.array(results[name].shape, results[name].dtype) if name else None for name in step.outputs
        ]
        for name, own in zip(step.outputs, outputs, strict=True):
            if own is not None:
                own[...] = results[name]
        node.runs.append(_FunctionRun(step, node.inputs, outputs))
        return outputs

    def _varying(self, node: SettlingNode) -> list[Array]:
        return [array for number, array in enumerate(node.inputs) if array is not None and node.known(number) is None]

    def _branch(self, node: SettlingNode, values: dict[str, Array], known: set[str]) -> list[Array] | None:
        """Settle the branch of an If whose condition never changes; None if it may."""
        condition = node.known(0)
        if condition is None:
            return None
        graph = node.attribute("then_branch" if condition.all() else "else_branch")
        inner = {**values, **graph.constants}
        return self.run(graph, inner, known | set(graph.constants))


class _FunctionRun:
    """A step that calls an operator's own function, and copies its results."""

    def __init__(self, step: NodeStep, inputs: Sequence[Array | None], outputs: Sequence[Array | None]) -> None:
        self._step = NodeStep(step.label, step.function, *_names(inputs, outputs))
        self._inputs = {f"i{number}": array for number, array in enumerate(inputs)}
        self._outputs = {f"o{number}": array for number, array in enumerate(outputs) if array is not None}

    def __call__(self) -> None:
        values: dict[str, Any] = dict(self._inputs)
        self._step.run(values)
        for name, own in self._outputs.items():
            result = values[name]
            if result.shape != own.shape or result.dtype != own.dtype:
                raise ChangedShapeError(f"{self._step.label}: {result.shape}, before {own.shape}")
            own[...] = result


def _names(inputs: Sequence[Array | None], outputs: Sequence[Array | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of inputs and outputs; empty for those that are not there."""
    given = ("" if array is None else f"i{number}" for number, array in enumerate(inputs))
    return tuple(given), tuple("" if array is None else f"o{number}" for number, array in enumerate(outputs))
