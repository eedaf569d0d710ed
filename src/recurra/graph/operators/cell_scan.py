"""CellScan: any cell of recurra's over sequences, one layer in one direction; an operator of recurra's own domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurra.graph.operators.limits import checked_shape
from recurra.graph.table import Array, NodeFunction, NodeInfo, building_operator, one_of
from recurra.model.cost import FREE, MAX_MULTIPLICATIONS, program_cost
from recurra.packed.packed_program import PackedProgram
from recurra.packed.packing import Packing, run_sequences
from recurra.program import Program, Sizes, from_json

OWN = "recurra"  # the domain
_FLOATS = ("float32", "float64")


def _sizes(given: Sequence[int]) -> Sizes:
    """Read the sizes: input, hidden and projection."""
    if not isinstance(given, tuple) or len(given) != 3 or not all(type(n) is int and 0 <= n < 2**31 for n in given):
        raise ValueError("sizes must be the numbers of input, hidden and projected features")
    return Sizes(*given)


def _program(given: Any) -> Program:
    """Read a program's text."""
    if not isinstance(given, str):
        raise ValueError("must be the text of a program")
    return from_json(given)


@building_operator("CellScan", domain=OWN, outputs=None, program=_program, sizes=_sizes, reverse=one_of(0, 1))
def cell_scan(node: NodeInfo, *, program: Program, sizes: Sizes, reverse: int = 0) -> NodeFunction:
    """A cell over (T, batch, features): the output of each step, and the last states.

    The inputs are x; the lengths (batch,), or nothing; the first states (batch, size); the parameters.
    """
    states, parameters = len(program.states), len(program.parameters)
    if len(node.inputs) != 2 + states + parameters or not all(node.inputs[2:]) or not node.has(0):
        raise ValueError(f"{program.name} takes x, lengths, {states} states and {parameters} parameters")
    if len(node.outputs) > 1 + states:
        raise ValueError(f"{len(node.outputs)} outputs are wanted of {1 + states}")
    cost = program_cost(program, sizes)
    if cost.numbers > FREE or cost.multiplications > MAX_MULTIPLICATIONS:
        raise ValueError(f"a step would compute {cost.numbers} numbers and {cost.multiplications} products")
    shapes = [tuple(size.value(sizes) for size in parameter.shape) for parameter in program.parameters]
    known = [node.constant(2 + states + number) for number in range(parameters)]
    ready = None if any(value is None for value in known) else _packed(program, known, shapes, sizes, reverse)

    return CellScanFunction(program, ready, lambda given: _packed(program, given, shapes, sizes, reverse))


class CellScanFunction:
    """The function of a CellScan node.

    Args:
        program: the cell.
        packed: the program with its weights, where these never change; else None.
        pack: packs other weights.
    """

    def __init__(
        self, program: Program, packed: PackedProgram | None, pack: Callable[[Sequence[Array]], PackedProgram]
    ) -> None:
        self.packed, self._pack, self._states = packed, pack, len(program.states)

    def __call__(self, x: Array, lengths: Array | None, *others: Array) -> tuple[Array, ...]:
        """The output of each step, and the last states."""
        states = others[: self._states]
        packed = self.packed or self._pack(others[self._states :])
        _check(packed, x, states)
        checked_shape((*x.shape[:2], packed.output_size), x.dtype)
        packing = None if lengths is None else _packing(lengths, x)
        output, last = run_sequences(packed, x, states, packing)
        return (output, *last)


def _packed(
    program: Program, parameters: Sequence[Any], shapes: Sequence[tuple[int, ...]], sizes: Sizes, reverse: int
) -> PackedProgram:
    """The program with its weights, whose shapes are checked."""
    for variable, value, shape in zip(program.parameters, parameters, shapes, strict=True):
        if value.shape != shape or value.dtype != parameters[0].dtype or value.dtype.name not in _FLOATS:
            kinds = " or ".join(_FLOATS)
            raise ValueError(f"{variable.name} must be {shape} of {kinds}; got {value.shape} of {value.dtype}")
    return PackedProgram(program, parameters, sizes, bool(reverse))


def _check(packed: PackedProgram, x: Array, states: Sequence[Array]) -> None:
    """Refuse an input or states that do not fit the program."""
    dtype = packed.parameters[0].dtype if packed.parameters else x.dtype
    if x.ndim != 3 or x.shape[2] != packed.input_size or x.dtype != dtype or dtype.name not in _FLOATS:
        size = packed.input_size
        raise ValueError(f"x must be (seq_len, batch, features={size}) of {dtype}; got {x.shape} of {x.dtype}")
    for variable, state, size in zip(packed.program.states, states, packed.state_sizes, strict=True):
        if state.shape != (x.shape[1], size) or state.dtype != x.dtype:
            fit = f"(batch={x.shape[1]}, {size}) of {x.dtype}"
            raise ValueError(f"state {variable.name} must be {fit}; got {state.shape} of {state.dtype}")


def _packing(lengths: Array, x: Array) -> Packing | None:
    """The packing of sequences of these lengths; None if all have all steps."""
    if lengths.shape != (x.shape[1],):
        raise ValueError(f"lengths must be (batch={x.shape[1]},); got {lengths.shape}")
    return None if np.all(lengths == len(x)) else Packing(lengths, len(x))
