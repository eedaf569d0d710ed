"""A graph that can be run: its nodes as steps, each with its function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recurra.errors import OnnxError
from recurra.onnx.loading.declaration import Declaration
from recurra.onnx.loading.table import REFUSALS, Array, NodeFunction

NamedArrays = dict[str, Array]


@dataclass(frozen=True)
class NodeStep:
    """A node.

    Attributes:
        label: how messages call it.
        function: what it computes.
        inputs: names of values; empty for an input that is left out.
        outputs: names of values; empty for an output that nobody wants.
        finished: the values that no later step reads.
    """

    label: str
    function: NodeFunction
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    finished: tuple[str, ...] = ()

    def run(self, values: NamedArrays) -> None:
        """Compute the outputs of the inputs, in a table of values.

        Raises:
            OnnxError: the operator refuses its inputs; the message names the node and them.
        """
        inputs = [values[name] if name else None for name in self.inputs]
        try:
            results = self.function(*inputs)
        except OnnxError:
            raise  # of a node of a graph inside
        except REFUSALS as error:
            shapes = ", ".join("–" if each is None else f"{each.dtype} {each.shape}" for each in inputs)
            reason = str(error) or type(error).__name__
            raise OnnxError(f"{self.label}: {reason}; its inputs are {shapes or 'none'}") from error
        given = results if isinstance(results, tuple) else (results,)
        if any(self.outputs[len(given) :]):
            raise OnnxError(f"{self.label}: {len(given)} outputs came, {len(self.outputs)} are wanted")
        for name, result in zip(self.outputs, given, strict=False):
            if name:
                values[name] = np.asarray(result)
        for name in self.finished:
            values.pop(name, None)


@dataclass(frozen=True)
class RunnableGraph:
    """A graph that can be run.

    Attributes:
        inputs: what it is given.
        outputs: what it gives.
        constants: the values that are known.
        steps: in an order in which each can be run.
        captured: names of values of outer graphs that it reads.
    """

    inputs: tuple[Declaration, ...]
    outputs: tuple[Declaration, ...]
    constants: Mapping[str, Array]
    steps: tuple[NodeStep, ...]
    captured: tuple[str, ...]

    def run(self, given: Mapping[str, Array]) -> list[Array]:
        """The outputs, for the inputs and the captured values by name."""
        values = {**self.constants, **given}
        for step in self.steps:
            step.run(values)
        return [values[output.name] for output in self.outputs]
