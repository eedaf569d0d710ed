"""A scan, which is one layer in one direction over whole sequences, and the sequences that it runs over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from recurra.compiler import Plan, plan
from recurra.compiler.expectation import expectation
from recurra.compiler.plan import traceable
from recurra.compiler.rewrite import needed
from recurra.engines import ScanSpec
from recurra.errors import EquationError
from recurra.nn.running.recorded import refuse_fixed
from recurra.program import Equation, Products, Program, Sizes, to_json


@dataclass(frozen=True)
class Mask:
    """A random mask of a cell; see ``recurra.bernoulli``."""

    size: int
    probability: float
    on: float
    mean: float
    per_sequence: bool


@dataclass(frozen=True)
class Scan:
    """A program for one layer in one direction, with the numbers of its sizes.

    A scan is pickled as its program and sizes.

    Attributes:
        plan: the program, scheduled; equal programs share it.
        sizes: the numbers of the program's symbols.
        output_size: features of its output.
        state_sizes: features of each state.
        shapes: the name and shape of each parameter.
        text: the program as JSON, the form for compiled graphs: torch 2.10 takes no objects as constants.
        masks: the random masks that a run needs.
        traced_masks: the random masks that a traced run needs: a trace shows every mask with a name, used or not.
        traced: the name and size of each traced variable.
        reverse: whether it runs from the last step to the first.
        compute: the precision of its products; None where the context says it.
        in_evaluation: the scan of the same program with numbers in place of masks, which runs outside of training; None
            where there are no masks.
    """

    plan: Plan
    sizes: Sizes
    output_size: int
    state_sizes: tuple[int, ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    text: str
    masks: tuple[Mask, ...]
    traced_masks: tuple[Mask, ...]
    traced: tuple[tuple[str, int], ...]
    reverse: bool
    compute: Products | None = None
    in_evaluation: Scan | None = None

    @staticmethod
    def of(
        program: Program,
        input_size: int,
        hidden_size: int,
        proj_size: int = 0,
        reverse: bool = False,
        compute: Products | None = None,
    ) -> Scan:
        """The scan of a program at these sizes.

        Raises:
            EquationError: a size of the program is no whole number, such as half of an odd hidden size.
        """
        sizes = Sizes(input_size, hidden_size, proj_size)
        try:
            for variable in program.variables():
                _ = [size.value(sizes) for size in variable.shape]
        except EquationError as error:
            raise EquationError(f"cell {program.name!r}, `{variable.name}`: {error}") from None
        scan = Scan._at(program, sizes, reverse, compute)
        if not scan.traced_masks:
            return scan
        return replace(scan, in_evaluation=Scan._at(expectation(program), sizes, reverse, compute))

    @staticmethod
    def _at(program: Program, sizes: Sizes, reverse: bool, compute: Products | None) -> Scan:
        scheduled = plan(program)
        return Scan(
            plan=scheduled,
            sizes=sizes,
            output_size=program.output.width(sizes),
            state_sizes=tuple(state.width(sizes) for state in program.states),
            shapes=tuple((p.name, tuple(size.value(sizes) for size in p.shape)) for p in program.parameters),
            text=_text_of(program),
            masks=_masks(scheduled.program.masks, sizes),
            traced_masks=_masks(_traced_masks(program), sizes),
            traced=tuple((name, variable.width(sizes)) for name, variable in traceable(program)),
            reverse=reverse,
            compute=compute,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Scan.of, (self.program, *self.sizes, self.reverse, self.compute)

    def __deepcopy__(self, memo: dict[int, Any]) -> Scan:
        return self  # nothing in it changes

    @property
    def program(self) -> Program:
        """The program as it was given."""
        return self.plan.source

    @property
    def is_empty(self) -> bool:
        """Whether it has no units or no input: only the reference engine computes with arrays of no elements."""
        return 0 in (self.sizes.input, self.sizes.hidden)

    def computing(self, compute: Products | None) -> Scan:
        """The scan with products of another precision."""
        return Scan.of(self.program, *self.sizes, self.reverse, compute)

    def in_mode(self, training: bool) -> Scan:
        """The scan as it runs in training, or outside of it."""
        return self if training or self.in_evaluation is None else self.in_evaluation

    def spec(self, traced: bool = False) -> ScanSpec:
        """The scan as engines take it; with ``traced`` it gives every named variable at every step."""
        scheduled = plan(self.program, traced=True) if traced else self.plan
        return ScanSpec(scheduled, self.sizes, self.reverse, self.compute)

    def draw(self, sequences: Sequences, batch: int, training: bool, traced: bool = False) -> list[Tensor]:
        """The random masks of one call, each with x's leading dimensions."""
        x = sequences.x
        drawn = []
        for mask in self.traced_masks if traced else self.masks:
            shape = (batch, mask.size) if mask.per_sequence else (*x.shape[:-1], mask.size)
            values = torch.full(shape, mask.mean, dtype=x.dtype, device=x.device)
            if training:
                values = torch.bernoulli(values, mask.probability) * mask.on  # vmap takes it, but not bernoulli_
            if mask.per_sequence:
                values = sequences.repeat(values)
            drawn.append(values)
        return drawn


@lru_cache(maxsize=512)
def _text_of(program: Program) -> str:
    return to_json(program)


def _traced_masks(program: Program) -> Iterable[Equation]:
    shown = [variable for _, variable in traceable(program)]
    return (
        equation for equation in needed(program.equations, [*program.roots, *shown]) if equation.operation == "mask"
    )


def _masks(equations: Iterable[Equation], sizes: Sizes) -> tuple[Mask, ...]:
    return tuple(
        Mask(
            equation.results[0].width(sizes),
            float(equation.attributes["probability"]),
            float(equation.attributes["on"]),
            float(equation.attributes["mean"]),
            equation.attributes["per"] == "sequence",
        )
        for equation in equations
    )


@dataclass(frozen=True)
class Sequences:
    """The sequences that one scan runs over.

    Attributes:
        x: (T, batch, input), or with ``batch_sizes`` the rows of all steps, (rows, input).
        batch_sizes: int64 (T,) on the CPU, as in torch's packed sequences; None for a dense batch.
        reset: bool (T, batch), or (rows,) beside packed rows; None for no resets.
        further: the inputs beside the first one, each with x's leading dimensions.
    """

    x: Tensor
    batch_sizes: Tensor | None
    reset: Tensor | None
    further: tuple[Tensor, ...] = ()

    def over(self, x: Tensor) -> Sequences:
        """The sequences as a scan over x takes them: the inputs beside the first one lie beside x."""
        return Sequences(torch.cat([x, *self.further], -1) if self.further else x, self.batch_sizes, self.reset)

    def repeat(self, values: Tensor) -> Tensor:
        """The values of each sequence, (batch, size), repeated at each of its steps."""
        if self.batch_sizes is None:
            return values.expand(self.x.shape[0], *values.shape)
        refuse_fixed("the lengths of packed sequences, each of which has one mask of dropout,")
        return torch.cat([values[:size] for size in self.batch_sizes.tolist()])
