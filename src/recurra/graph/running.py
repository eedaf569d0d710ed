"""A graph that can be run: its nodes as steps, each with its function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recurra.errors import OnnxError
from recurra.graph.declaration import Declaration
from recurra.graph.table import REFUSALS, Array, NodeFunction

NamedArrays = dict[str, Array]


@dataclass(frozen=True)
class NodeStep:
    """A node that can be run.

    Attributes:
        label: the node's name in messages.
        function: the function that computes the outputs from the inputs.
        inputs: names of values; empty for an input that is left out.
        outputs: names of values; empty for an output that is not wanted.
        finished: names of the values that no later step reads.
        operator: the operator's name.
        attributes: the node's attributes, as the operator takes them.
        remembered: what settled calls of all shapes share, such as packed weights.
    """

    label: str
    function: NodeFunction
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    finished: tuple[str, ...] = ()
    operator: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    remembered: dict[str, Any] = field(default_factory=dict)

    def run(self, values: NamedArrays) -> None:
        """Read the inputs from a table of values, and write the outputs to it.

        Raises:
            OnnxError: the operator refuses its inputs; the message names the node and the inputs.
        """
        inputs = [values[name] if name else None for name in self.inputs]
        try:
            results = self.function(*inputs)
        except OnnxError:
            raise  # from a node of an inner graph
        except REFUSALS as error:
            shapes = ", ".join("–" if each is None else f"{each.dtype} {each.shape}" for each in inputs)
            reason = str(error) or type(error).__name__
            raise OnnxError(f"{self.label}: {reason}; its inputs are {shapes or 'none'}") from error
        outputs = results if isinstance(results, tuple) else (results,)
        if any(self.outputs[len(outputs) :]):
            raise OnnxError(f"{self.label}: {len(outputs)} outputs came, {len(self.outputs)} are wanted")
        for name, result in zip(self.outputs, outputs, strict=False):
            if name:
                values[name] = np.asarray(result)
        for name in self.finished:
            values.pop(name, None)


@dataclass(frozen=True)
class RunnableGraph:
    """A graph that can be run.

    Attributes:
        inputs: the declared inputs.
        outputs: the declared outputs.
        constants: the known values, by name.
        steps: the nodes, in an order in which they can be run.
        captured: names of the values of outer graphs that it reads.
    """

    inputs: tuple[Declaration, ...]
    outputs: tuple[Declaration, ...]
    constants: Mapping[str, Array]
    steps: tuple[NodeStep, ...]
    captured: tuple[str, ...]

    def run(self, given: Mapping[str, Array]) -> list[Array]:
        """Compute the outputs from the inputs and the captured values, which are given by name."""
        values = {**self.constants, **given}
        for step in self.steps:
            step.run(values)
        return [values[output.name] for output in self.outputs]
