"""A program with its weights packed for an engine, run over arrays of numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra.compiler import plan
from recurra.engines import Call, DType, Kernel, Result, ScanSpec, choose
from recurra.program import Program, Sizes

Array = np.ndarray[Any, np.dtype[Any]]


class MaskMean(NamedTuple):
    """A random mask of a program as it is when a model is used: its mean, everywhere.

    Attributes:
        width: its features.
        mean: its value.
    """

    width: int
    mean: float


class PackedProgram:
    """A program at some sizes, with its weights, packed once: one layer in one direction, or what feeds forward.

    Masks are handed to the kernel as arrays of their means, as the torch front does it in evaluation. Numbers in their
    place (``compiler.expectation``) would give other last bits: what a cell computes from a mask, such as ``1 - m``, is
    rounded to the arrays' dtype here, and not as a number of the program.

    Args:
        program: what to run.
        parameters: its weights, in its order.
        sizes: the numbers of its symbols.
        reverse: whether the last step comes first.
    """

    def __init__(self, program: Program, parameters: Sequence[Array], sizes: Sizes, reverse: bool = False) -> None:
        self.program = program
        self.parameters = [np.asarray(parameter, order="C") for parameter in parameters]
        self.sizes = sizes
        self.reverse = reverse
        self.input_size = self.sizes.input
        self.output_size = program.output.width(self.sizes)
        self.state_sizes = tuple(state.width(self.sizes) for state in program.states)
        self.plan = plan(program)
        self.masks = tuple(
            MaskMean(mask.results[0].width(self.sizes), float(mask.attributes["mean"]))
            for mask in self.plan.program.masks
        )
        self._packed: dict[tuple[Kernel, DType], object] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": {}}  # a copy, in another process perhaps, packs anew

    @property
    def spec(self) -> ScanSpec:
        """The program as engines are told of it."""
        return ScanSpec(self.plan, self.sizes, self.reverse)

    def kernel(self, dtype: DType) -> tuple[Kernel, object]:
        """The chosen engine's kernel, and the weights as it wants them."""
        kernel = choose(self.plan, dtype).build(self.plan)
        if (kernel, dtype) not in self._packed:
            self._packed[kernel, dtype] = kernel.pack(self.parameters, self.sizes, dtype)
        return kernel, self._packed[kernel, dtype]

    def __call__(self, x: Array, states: Sequence[Array], batch_sizes: Array | None = None) -> Result:
        """Run over sequences.

        Args:
            x: (T, batch, input), or with ``batch_sizes`` packed rows.
            states: the first ones, (batch, size).
            batch_sizes: rows of each step, never increasing.
        """
        kernel, packed = self.kernel(x.dtype.name)
        masks = [np.full((*x.shape[:-1], mask.width), mask.mean, x.dtype) for mask in self.masks]
        call = Call(
            x=x,
            batch_sizes=batch_sizes,
            states=states,
            parameters=self.parameters,
            sizes=self.sizes,
            masks=masks,
            reverse=self.reverse,
            packed=packed,
        )
        return kernel.forward(call)
