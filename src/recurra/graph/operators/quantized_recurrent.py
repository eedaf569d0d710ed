"""The LSTM whose weights are numbers of 8 bits, and whose inputs and states are quantized by their own range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.compiler import drop_biases, trace
from recurra.graph import cells
from recurra.graph.operators.integer_products import Centred
from recurra.graph.operators.quantized import MICROSOFT, dynamic_parameters
from recurra.graph.operators.recurrent import (
    RecurrentFunction,
    RecurrentLayer,
    lstm_options,
    read_bound,
    read_direction,
)
from recurra.graph.table import Array, NodeFunction, NodeInfo, building_operator
from recurra.packed.packed_program import PackedProgram
from recurra.program import Sizes

_INPUTS = 12
WEIGHTS = (1, 2, 3, 7, 8, 9, 10, 11)  # those of the inputs that are weights


class QuantizedLayer(RecurrentLayer):
    """The layer of a node: its input is quantized as a whole, a state at each step and for each sequence."""

    def quantized_programs(
        self,
        W: Array | None,
        R: Array | None,
        B: Array | None,
        P: Array | None,
        W_scale: Array | None,
        W_zero: Array | None,
        R_scale: Array | None,
        R_zero: Array | None,
    ) -> list[PackedProgram]:
        """The program of each direction, with these weights."""
        if W is None or R is None or W_scale is None or R_scale is None:
            raise ValueError("W, R and their scales are needed")
        count, hidden = len(self.reverse), R.shape[1]
        wide = (count, 4 * hidden)
        if (self.hidden_size or hidden) != hidden or W.ndim != 3 or W.shape[::2] != wide or R.shape[::2] != wide:
            raise ValueError(
                f"W and R must be (num_directions={count}, input_size or hidden_size, 4*hidden_size) with "
                f"hidden_size={self.hidden_size or hidden}; got {W.shape} and {R.shape}"
            )
        for name, value, width in (("B", B, 8), ("P", P, 3)):
            if value is not None and value.shape != (count, width * hidden):
                raise ValueError(f"{name} must be (num_directions={count}, {width}*hidden_size); got {value.shape}")
        programs = []
        for number, (options, is_reverse) in enumerate(zip(self.options, self.reverse, strict=True)):
            named = {}
            for name, weights, scale, zero in (("W", W, W_scale, W_zero), ("R", R, R_scale, R_zero)):
                named[name] = Centred.of(weights[number], None if zero is None else zero[number], -1).values
                named[f"{name}_scale"] = np.broadcast_to(scale[number], 4 * hidden)
            if B is not None:
                named["Wb"], named["Rb"] = np.split(B[number], 2)
            if P is not None:
                named["P"] = P[number]
            program = trace(self.cell, options)
            program = program if B is not None else drop_biases(program)
            parameters = [named[each.name].astype(np.float32, copy=False) for each in program.parameters]
            programs.append(PackedProgram(program, parameters, Sizes(W.shape[1], hidden), is_reverse))
        return programs


@dataclass(frozen=True)
class QuantizedFunction(RecurrentFunction):
    """The function of a node with a quantized layer."""

    layer: QuantizedLayer

    def __call__(self, *inputs: Array | None) -> tuple[Array, ...]:
        """Compute Y and the last states."""
        X, *others = inputs
        given = [X, *others, *[None] * (_INPUTS - len(inputs))]
        if X is None or X.dtype != np.float32:
            raise ValueError("X must be of float32")
        programs = self.programs or self.layer.quantized_programs(*(given[number] for number in WEIGHTS))
        values = np.empty_like(X)
        round_to_quanta(X, values)
        recurrent = np.empty((1, 1, programs[0].state_sizes[0]), np.float32)
        return self.layer.run(values, recurrent, programs, given[4], given[5:7])


def round_to_quanta(x: Array, into: Array) -> None:
    """Write the numbers that x's quantized ones stand for, by its own range."""
    scale, zero = dynamic_parameters(x.min(initial=0), x.max(initial=0))
    offset = np.float32(zero)
    np.divide(x, scale, out=into)
    np.rint(into, out=into)
    np.clip(into, -offset, 255 - offset, out=into)
    np.multiply(into, scale, out=into)


@building_operator("DynamicQuantizeLSTM", outputs=3, domain=MICROSOFT, direction=read_direction, clip=read_bound)
def dynamic_quantize_lstm(
    node: NodeInfo,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: tuple[bool, ...] = (False,),
    hidden_size: int | None = None,
    input_forget: int = 0,
) -> NodeFunction:
    """Long short-term memory with weights of 8 bits, (…, 4·hidden), whose products are of such numbers too."""
    cell = cells.quantized_peephole_lstm if node.has(7) else cells.quantized_lstm
    options = lstm_options(direction, activations, activation_alpha, activation_beta, clip, input_forget)
    layer = QuantizedLayer("LSTM", cell, options, direction, hidden_size, False)
    if all(node.constant(number) is not None for number in WEIGHTS if node.has(number)):
        return QuantizedFunction(layer, layer.quantized_programs(*(node.constant(number) for number in WEIGHTS)))
    return QuantizedFunction(layer, None)
