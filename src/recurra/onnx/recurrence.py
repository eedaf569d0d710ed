"""A recurrent layer of ONNX, run by recurra's engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.compiler import Plan
from recurra.engines import Call, chosen
from recurra.onnx.sequences import Lengths
from recurra.onnx.table import Array


@dataclass(frozen=True)
class Scan:
    """What runs in one direction.

    Attributes:
        plan: of the cell.
        parameters: in the order of the plan's program.
        is_reverse: whether it begins at the last step of each sequence.
    """

    plan: Plan
    parameters: Sequence[Array]
    is_reverse: bool

    def run(self, x: Array, states: Sequence[Array], lengths: Lengths | None = None) -> tuple[Array, tuple[Array, ...]]:
        """The scan over whole sequences; all arrays are float32, or all are float64.

        Args:
            x: (steps, batch, input).
            states: the first ones, each (batch, size), the hidden state before others.
            lengths: of the sequences; None where all have all steps.

        Returns:
            the output, (steps, batch, size), 0 after the end of each sequence; the last states, each (batch, size),
            which of an empty sequence are its first ones.
        """
        steps, batch, width = x.shape
        sizes = {"input": width, "hidden": states[0].shape[-1], "proj": 0}
        if steps * batch == 0 or (lengths is not None and lengths.batch_sizes.size == 0):
            output = self.plan.program.output.shape[-1].value(sizes)
            return np.zeros((steps, batch, output), x.dtype), tuple(states)
        call = Call(
            x=x if lengths is None else lengths.pack(x),
            batch_sizes=None if lengths is None else lengths.batch_sizes,
            states=states if lengths is None else [lengths.sort(state) for state in states],
            parameters=self.parameters,
            sizes=sizes,
            reverse=self.is_reverse,
        )
        result = chosen().build(self.plan).forward(call)
        if lengths is None:
            return result.output, result.states
        return lengths.unpack(result.output), tuple(lengths.unsort(state) for state in result.states)
