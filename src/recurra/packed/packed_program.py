"""A program with its weights packed for an engine, run on arrays of numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from recurra.compiler import plan
from recurra.compiler.expectation import expectation
from recurra.engines import Call, DType, Engine, Kernel, Result, ScanSpec, choose
from recurra.program import Products, Program, Sizes

Array = np.ndarray[Any, np.dtype[Any]]


class MaskMean(NamedTuple):
    """A random mask that a program needs outside of training too, as it gives a shape: its mean in every element.

    Attributes:
        width: the number of its features.
        mean: the value of its elements.
    """

    width: int
    mean: float


class PackedProgram:
    """A program at fixed sizes with weights that are packed once: one layer in one direction, or a feed-forward part.

    Numbers stand in place of random masks, as in the torch front outside of training.

    Args:
        program: the program to run.
        parameters: the program's weights, in the order of its parameters.
        sizes: the sizes that the program's symbols stand for.
        reverse: whether the last step comes first.
        compute: the precision of its products. Default None: as the context says.
    """

    def __init__(
        self,
        program: Program,
        parameters: Sequence[Array],
        sizes: Sizes,
        reverse: bool = False,
        compute: Products | None = None,
    ) -> None:
        self.program = program
        self.parameters = [np.asarray(parameter, order="C") for parameter in parameters]
        self.sizes = sizes
        self.reverse = reverse
        self.compute = compute
        self.input_size = program.input.width(self.sizes)
        self.output_size = program.output.width(self.sizes)
        self.state_sizes = tuple(state.width(self.sizes) for state in program.states)
        self.plan = plan(expectation(program))
        self.masks = tuple(
            MaskMean(mask.results[0].width(self.sizes), float(mask.attributes["mean"]))
            for mask in self.plan.program.masks
        )
        self._packed: dict[tuple[Kernel, DType], object] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": {}}  # a copy, perhaps in another process, packs its weights anew

    @property
    def spec(self) -> ScanSpec:
        """The program as engines take it."""
        return ScanSpec(self.plan, self.sizes, self.reverse, self.compute)

    def engine(self, dtype: DType) -> Engine:
        """The engine that is chosen now."""
        return choose(self.plan, dtype, compute=self.compute)

    def kernel(self, dtype: DType) -> tuple[Kernel, object]:
        """The chosen engine's kernel, and the weights packed for it."""
        kernel = self.engine(dtype).build(self.plan)
        if (kernel, dtype) not in self._packed:
            self._packed[kernel, dtype] = kernel.pack(self.parameters, self.sizes, dtype)
        return kernel, self._packed[kernel, dtype]

    def __call__(self, x: Array, states: Sequence[Array], batch_sizes: Array | None = None) -> Result:
        """Run over sequences.

        Args:
            x: (T, batch, input), or with ``batch_sizes`` packed rows.
            states: the first states, each (batch, size).
            batch_sizes: the number of rows of each step, never increasing.
        """
        kernel, call = self._call(x, states, batch_sizes)
        return kernel.forward(call)

    def repeated(self, x: Array, states: Sequence[Array], output: Array, last: Sequence[Array]) -> Callable[[], None]:
        """Prepare runs over arrays that stay where they are: a function that runs on what they hold then.

        Args:
            x: (T, batch, input).
            states: the first states, each (batch, size).
            output: (T, batch, output), which each run writes.
            last: the last states, each (batch, size), which each run writes.
        """
        kernel, call = self._call(x, states)
        into = Result(output, tuple(last))
        return kernel.repeated(call, into) or partial(_run_into, kernel, call, into)

    def _call(self, x: Array, states: Sequence[Array], batch_sizes: Array | None = None) -> tuple[Kernel, Call]:
        kernel, packed = self.kernel(x.dtype.name)
        call = Call(
            x=x,
            batch_sizes=batch_sizes,
            states=states,
            parameters=self.parameters,
            sizes=self.sizes,
            masks=[np.full((*x.shape[:-1], mask.width), mask.mean, x.dtype) for mask in self.masks],
            reverse=self.reverse,
            packed=packed,
        )
        return kernel, call


def _run_into(kernel: Kernel, call: Call, into: Result) -> None:
    """Run a call, and copy its results."""
    result = kernel.forward(call)
    for own, value in zip((into.output, *into.states), (result.output, *result.states), strict=True):
        own[...] = value
