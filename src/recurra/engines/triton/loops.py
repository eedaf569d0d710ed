"""Loops over time that have been made into kernels; here those that run whole sequences in one launch."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from recurra.engines.triton.generated import load
from recurra.engines.triton.sequences import SequenceSource
from recurra.engines.triton.steps import LoopArrays, Steps
from recurra.program import Sizes, Variable

SEQUENCES = 16  # of a tile: the fewest rows of a product on tensor cores
# ptxas spills a register or two where that lets one more program onto a multiprocessor, unless a bound is given; the
# grids of these kernels rarely fill the multiprocessors once. AMD's compiler has no such bound.
COMPILED = {"enable_fp_fusion": True} if torch.version.hip else {"enable_fp_fusion": True, "maxnreg": 255}


class Loop(Protocol):
    """A loop over time that has been made into kernels."""

    def __call__(self, arrays: LoopArrays, steps: Steps) -> tuple[dict[Variable, Tensor], list[Tensor]]:
        """Run it; return the rows that it writes, (rows, width), and the last value of each state."""
        ...


class SequenceLoop:
    """A loop whose programs run all steps of a tile of sequences.

    Args:
        source: the kernel's source.
        sizes: the values of the schedule's symbols.
        precision: of products of float32: a word of Triton's.
        warps: of each program.
    """

    def __init__(self, source: SequenceSource, sizes: Sizes, precision: str, warps: int) -> None:
        self.source, self._sizes, self._precision, self._warps = source, sizes, precision, warps
        self._kernel = load(source.name, source.text)

    def options(self, reset: int, is_packed: bool) -> dict[str, Any]:
        """The constants of the kernel, and how it is compiled."""
        options = {"SEQUENCES": SEQUENCES, "PACKED": is_packed, "RESET": reset, "PRECISION": self._precision}
        units = {"UNITS": self.source.units} if self.source.units else {}
        return {**options, **units, **COMPILED, "num_warps": self._warps, "num_stages": 1}

    def __call__(self, arrays: LoopArrays, steps: Steps) -> tuple[dict[Variable, Tensor], list[Tensor]]:
        """Run the loop."""
        source, like = self.source, arrays.states[0]
        inputs = [as_rows(arrays.rows[variable], steps.rows, like.dtype) for variable in source.inputs]
        constants = [as_constant(arrays.constants[variable], like.dtype) for variable in source.constants]
        outputs = {v: like.new_empty((steps.rows, v.width(self._sizes))) for v in source.outputs}
        first = [state.contiguous() for state in arrays.states]
        last = [torch.empty_like(state) for state in first]
        states = [each for pair in zip(first, last, strict=True) for each in pair]
        strides = [rows.stride(0) for rows in inputs]
        tiles = -(-steps.batch // SEQUENCES)
        grid: tuple[int, ...] = (tiles, -(-source.width // source.units)) if source.units else (tiles,)
        if tiles:
            self._kernel[grid](
                *constants, *inputs, *outputs.values(), *states, *strides, steps.begins, steps.counts, steps.reset,
                steps.steps, steps.batch, steps.first, steps.direction,
                **self.options(steps.reset_mode, steps.begins is not None),
            )  # fmt: skip
        return outputs, last


def as_rows(value: Tensor, rows: int, dtype: torch.dtype) -> Tensor:
    """A variable's rows as (rows, width), with features one after the other."""
    value = value.reshape(rows, -1) if rows else value.new_empty((0, 1))
    value = value if value.dtype == dtype else value.to(dtype)
    return value if value.stride(-1) == 1 or value.shape[-1] == 1 else value.contiguous()


def as_constant(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A constant with its elements one after the other."""
    return (value if value.dtype == dtype else value.to(dtype)).contiguous()
