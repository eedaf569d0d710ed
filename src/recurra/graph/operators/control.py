"""Operators that run inner graphs: If, Loop and Scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.graph.operators.limits import checked_shape
from recurra.graph.operators.shaping import axis_of
from recurra.graph.running import RunnableGraph
from recurra.graph.table import Array, NodeFunction, NodeInfo, building_operator


@building_operator("If", outputs=None)
def branch(node: NodeInfo, *, then_branch: RunnableGraph, else_branch: RunnableGraph) -> NodeFunction:
    """Run one of two graphs."""
    for graph in (then_branch, else_branch):
        if len(node.outputs) > len(graph.outputs):
            raise ValueError(f"{len(node.outputs)} outputs do not fit a branch of {len(graph.outputs)}")

    def run(*inputs: Array) -> tuple[Array, ...]:
        graph = then_branch if inputs[0].item() else else_branch
        return tuple(graph.run(node.outer(inputs)))

    return run


class _Body:
    """A graph that runs repeatedly: its outputs are new states, and then values that are collected."""

    def __init__(self, graph: RunnableGraph, outer: Mapping[str, Array], states: int) -> None:
        self._graph, self._outer, self._states = graph, outer, states
        self._collected: list[list[Array]] = [[] for _ in graph.outputs[states:]]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once, and return the new states."""
        named = {declared.name: value for declared, value in zip(self._graph.inputs, inputs, strict=True)}
        results = self._graph.run({**self._outer, **named})
        for values, result in zip(self._collected, results[self._states :], strict=True):
            values.append(result)
            checked_shape((len(values), *result.shape), result.dtype)
        return results[: self._states]

    def collected(self, axes: Sequence[int], reverse: Sequence[int]) -> list[Array]:
        """The values collected in all runs, each stacked along a new axis; the last run first where asked for."""
        joined = []
        outputs = self._graph.outputs[self._states :]
        for declared, values, axis, is_reverse in zip(outputs, self._collected, axes, reverse, strict=True):
            if values:
                joined.append(np.stack(values[::-1] if is_reverse else values, axis))
                continue
            sizes = declared.shape
            if sizes is None or declared.dtype is None or not all(isinstance(size, int) for size in sizes):
                raise ValueError(f"no run, and the body does not say how large {declared.name} is")
            nothing: Array = np.empty([int(size or 0) for size in sizes], declared.dtype)
            joined.append(np.expand_dims(nothing, axis).take([], axis))
        return joined


@building_operator("Loop", outputs=None)
def loop(node: NodeInfo, *, body: RunnableGraph) -> NodeFunction:
    """Run the body as long as its condition holds, at most a number of times."""
    count = len(body.inputs) - 2
    collected = len(body.outputs) - 1 - count
    if len(node.inputs) > 2 + count or len(node.outputs) > len(body.outputs) - 1 or min(count, collected) < 0:
        raise ValueError(
            f"{len(node.inputs)} inputs and {len(node.outputs)} outputs do not fit a body of {len(body.inputs)} inputs "
            f"and {len(body.outputs)} outputs"
        )

    def run(*inputs: Array | None) -> tuple[Array, ...]:
        own = [*inputs[: len(node.inputs)], None, None]
        times, condition, states = own[0], own[1], own[2 : 2 + count]
        runs = _Body(body, node.outer(inputs), 1 + count)
        goes_on, number = np.array(True) if condition is None else condition, 0
        while goes_on.item() and (times is None or number < times.item()):
            goes_on, *states = runs.run([np.array(number, np.int64), goes_on, *states])
            number += 1
        return (*states, *runs.collected([0] * collected, [0] * collected))

    return run


@building_operator("Scan", since=9, outputs=None)
def scan(
    node: NodeInfo,
    *,
    body: RunnableGraph,
    num_scan_inputs: int,
    scan_input_axes: Sequence[int] | None = None,
    scan_input_directions: Sequence[int] | None = None,
    scan_output_axes: Sequence[int] | None = None,
    scan_output_directions: Sequence[int] | None = None,
) -> NodeFunction:
    """Run the body for each element of sequences."""
    count = len(body.inputs) - num_scan_inputs
    collected = len(body.outputs) - count
    if len(node.inputs) != len(body.inputs) or len(node.outputs) > len(body.outputs) or min(count, collected) < 0:
        raise ValueError(
            f"{len(node.inputs)} inputs, {num_scan_inputs} of them sequences, and {len(node.outputs)} outputs do not "
            f"fit a body of {len(body.inputs)} inputs and {len(body.outputs)} outputs"
        )

    def run(*inputs: Array) -> tuple[Array, ...]:
        states, runs = list(inputs[:count]), _Body(body, node.outer(inputs), count)
        sequences = [
            _in_time(sequence, axis, is_reverse)
            for sequence, axis, is_reverse in zip(
                inputs[count : len(node.inputs)],
                scan_input_axes or [0] * num_scan_inputs,
                scan_input_directions or [0] * num_scan_inputs,
                strict=True,
            )
        ]
        if len({len(sequence) for sequence in sequences}) > 1:
            raise ValueError(f"sequences of {', '.join(str(len(sequence)) for sequence in sequences)} steps")
        for elements in zip(*sequences, strict=True):
            states = runs.run([*states, *elements])
        axes, reverse = scan_output_axes or [0] * collected, scan_output_directions or [0] * collected
        return (*states, *runs.collected(axes, reverse))

    return run


def _in_time(sequence: Array, axis: int, is_reverse: Any) -> Array:
    """A sequence with time as its first dimension, in the order of the scan."""
    moved = np.moveaxis(sequence, axis_of(axis, sequence.ndim), 0)
    return moved[::-1] if is_reverse else moved
