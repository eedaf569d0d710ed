"""The LSTM whose weights are numbers of 8 bits, and whose inputs and states are quantized by their own range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.compiler import drop_biases, trace
from recurra.engines.precision import products
from recurra.equations import Cell
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
from recurra.program import Products, Sizes

_INPUTS = 12
_MOST = 127  # of the magnitudes of weights that products of whole numbers take
BOUNDS = 2  # features behind the input's that hold its bounds
WEIGHTS = (1, 2, 3, 7, 8, 9, 10, 11)  # those of the inputs that are weights


@dataclass(frozen=True)
class QuantizedLayer(RecurrentLayer):
    """The layer of a node: its input is quantized as a whole, a state at each step and for each sequence.

    Where the engine multiplies whole numbers and all weights are from -127 to 127, the cell is that of floats, and the
    engine quantizes rows of input and state by their own ranges. So that each row of the input has the range of all,
    its bounds are two features more, whose weights are zeros. Else the input is rounded beforehand, the state by
    another cell, and the products are of floats.

    Attributes:
        rounding_cell: the equations that round the state.
    """

    rounding_cell: Cell

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
        hidden = self._check_quantized(W, R, B, P, W_scale, R_scale)
        centred = {
            name: [
                Centred.of(each, None if zero is None else zero[number], -1).values for number, each in enumerate(all_)
            ]
            for name, all_, zero in (("W", W, W_zero), ("R", R, R_zero))
        }
        largest = max(abs(each).max(initial=0) for directions in centred.values() for each in directions)
        is_whole = largest <= _MOST and products("float32", "uint8") == "uint8"
        inputs = W.shape[1]
        if is_whole:
            inputs += BOUNDS
            centred["W"] = [np.pad(each, ((0, BOUNDS), (0, 0))) for each in centred["W"]]
        programs = []
        for number, (options, is_reverse) in enumerate(zip(self.options, self.reverse, strict=True)):
            named = {}
            for name, scales in (("W", W_scale), ("R", R_scale)):
                numbers, scale = centred[name][number], np.broadcast_to(scales[number], 4 * hidden)
                named[name] = (numbers * scale).T if is_whole else numbers
                named[f"{name}_scale"] = scale
            if B is not None:
                named["Wb"], named["Rb"] = np.split(B[number], 2)
            if P is not None:
                named["P"] = P[number]
            program = trace(self.cell if is_whole else self.rounding_cell, options)
            program = program if B is not None else drop_biases(program)
            parameters = [named[each.name].astype(np.float32, copy=False) for each in program.parameters]
            compute: Products | None = "uint8" if is_whole else None
            programs.append(PackedProgram(program, parameters, Sizes(inputs, hidden), is_reverse, compute))
        return programs

    def _check_quantized(
        self, W: Array, R: Array, B: Array | None, P: Array | None, W_scale: Array, R_scale: Array
    ) -> int:
        """Check the shapes of weights, and return the number of features of a state."""
        count, hidden = len(self.reverse), int(R.shape[1]) if R.ndim == 3 else 0
        wide = (count, 4 * hidden)
        if (self.hidden_size or hidden) != hidden or W.ndim != 3 or W.shape[::2] != wide or R.shape[::2] != wide:
            raise ValueError(
                f"W and R must be (num_directions={count}, input_size or hidden_size, 4*hidden_size) with "
                f"hidden_size={self.hidden_size or hidden or 'any'}; got {W.shape} and {R.shape}"
            )
        for name, value, width in (("B", B, 8), ("P", P, 3)):
            if value is not None and value.shape != (count, width * hidden):
                raise ValueError(f"{name} must be (num_directions={count}, {width}*hidden_size); got {value.shape}")
        for name, scale in (("W_scale", W_scale), ("R_scale", R_scale)):
            if scale.shape not in ((count,), wide) or scale.dtype != np.float32:
                raise ValueError(
                    f"{name} must be float32 (num_directions={count}) or (num_directions={count}, 4*hidden_size="
                    f"{4 * hidden}); got {scale.dtype} {scale.shape}"
                )
        return hidden


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
        size = input_size(programs)
        if X.ndim != 3 or X.shape[2] != size:
            raise ValueError(f"X must be (seq_length, batch_size, input_size={size}) of float32; got {X.shape}")
        values = np.empty((*X.shape[:2], programs[0].input_size), np.float32)
        round_to_quanta(X, values[..., :size], values[..., size:])
        recurrent = np.empty((1, 1, programs[0].state_sizes[0]), np.float32)
        return self.layer.run(values, recurrent, programs, given[4], given[5:7])


def input_size(programs: Sequence[PackedProgram]) -> int:
    """The number of a node's input features: those of its programs, but for bounds."""
    return programs[0].input_size - (BOUNDS if programs[0].compute == "uint8" else 0)


def round_to_quanta(x: Array, into: Array, bounds: Array) -> None:
    """Write the numbers that x's quantized ones stand for, by its own range, and the least and largest that can be.

    Args:
        x: (T, batch, input).
        into: likewise, written.
        bounds: (T, batch, 2), written; or without elements.
    """
    scale, zero = dynamic_parameters(x.min(initial=0), x.max(initial=0))
    offset = np.float32(zero)
    np.divide(x, scale, out=into)
    np.rint(into, out=into)
    np.clip(into, -offset, 255 - offset, out=into)
    np.multiply(into, scale, out=into)
    if bounds.size:
        bounds[...] = np.array((-offset, 255 - offset), np.float32) * scale


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
    cell, rounding = cells.lstm, cells.quantized_lstm
    if node.has(7):
        cell, rounding = cells.peephole_lstm, cells.quantized_peephole_lstm
    options = lstm_options(direction, activations, activation_alpha, activation_beta, clip, input_forget)
    layer = QuantizedLayer("LSTM", cell, options, direction, hidden_size, False, rounding)
    if all(node.constant(number) is not None for number in WEIGHTS if node.has(number)):
        return QuantizedFunction(layer, layer.quantized_programs(*(node.constant(number) for number in WEIGHTS)))
    return QuantizedFunction(layer, None)
