"""One layer in one direction over one sequence, step by step in torch: every named value stays a tensor of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.compiler.plan import traceable
from recurra.engines.reference.equations import EquationFunction, Values, compiled, evaluate, library_of
from recurra.program import Equation, Program, Sizes, Variable


@dataclass(frozen=True, eq=False)
class ScanRun:
    """What a scan computed.

    Attributes:
        output: the output of each step, (1, size), in the order of time.
        last: the last state of each kind, (1, size).
        values: the values of each named variable, (1, …), a tensor for each step in the order of time. Later steps
            are computed from these very tensors, so that autograd gives the gradient of each.
    """

    output: list[Tensor]
    last: list[Tensor]
    values: dict[str, list[Tensor]]


class StepwiseScan:
    """A program with its weights, which is run one step at a time; random masks are their means.

    Args:
        program: the traced cell.
        weights: the parameters by name.
        sizes: the numbers of the program's symbols.
        reverse: whether it runs from the last step to the first.
    """

    def __init__(self, program: Program, weights: Mapping[str, Tensor], sizes: Sizes, reverse: bool = False) -> None:
        self.program, self.sizes, self.reverse = program, sizes, reverse
        self._weights: Values = {parameter: weights[parameter.name] for parameter in program.parameters}
        varying = program.varying()
        self._once = [e for e in program.computed if not varying.intersection(e.results)]
        self._each = [e for e in program.computed if varying.intersection(e.results)]

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """The number of features of each state."""
        return tuple(state.width(self.sizes) for state in self.program.states)

    @property
    def named(self) -> dict[str, Variable]:
        """The named variables that change from step to step; a state's name stands for its new value."""
        return dict(traceable(self.program))

    @property
    def operations(self) -> dict[str, str]:
        """The operation that computes each named variable, such as ``sigmoid``."""
        by_result = {result: equation.operation for equation in self.program.equations for result in equation.results}
        return {name: by_result.get(variable, "") for name, variable in self.named.items()}

    def constants(self, like: Tensor) -> Values:
        """The values that are the same in every step: parameters, what follows from them, and the means of masks."""
        values: Values = {self.program.input: like, **self._weights}
        evaluate(self._once, values, self.sizes, self.program.input)
        for equation in self.program.masks:
            values[equation.results[0]] = _mean(equation, self.sizes, like)
        return values

    def prepared(self, like: Tensor) -> list[EquationFunction]:
        """The equations of a step as functions on a table of values."""
        lib = library_of(like)
        return [compiled(equation, lib, self.sizes, self.program.input) for equation in self._each]

    def _with_defaults(self, x: Tensor) -> Tensor:
        """x with the defaults of the inputs beside the first one.

        Raises:
            TypeError: one has no default.
        """
        needed = [each.name for each in self.program.further_inputs if each.default is None]
        if needed:
            raise TypeError(f"cell {self.program.name!r} needs the input {needed[0]} too: look gives a cell x alone")
        further = [
            x.new_full((len(x), i.size.value(self.sizes)), i.default or 0.0) for i in self.program.further_inputs
        ]
        return torch.cat([x, *further], -1) if further else x

    def __call__(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        reset: Tensor | None = None,
        start: Sequence[Tensor] | None = None,
    ) -> ScanRun:
        """Run over a sequence.

        Args:
            x: (steps, features).
            states: the first states, (1, size) each.
            reset: bool (steps,), the steps before which states are put back. Default: none.
            start: what they are put back to. Default zeros.
        """
        program, functions, steps = self.program, self.prepared(x), len(x)
        x = self._with_defaults(x)
        values, current = self.constants(x[:1]), list(states)
        named, kept = self.named, {name: [] for name in self.named}  # type: dict[str, Variable], dict[str, list[Tensor]]
        output: list[Tensor] = []
        for t in reversed(range(steps)) if self.reverse else range(steps):
            if reset is not None and bool(reset[t]):
                current = [torch.zeros_like(state) for state in current] if start is None else list(start)
            values.update(zip(program.states, current, strict=True))
            values[program.input] = x[t : t + 1]
            for function in functions:
                function(values)
            for name, variable in named.items():
                kept[name].append(values[variable])
            output.append(values[program.output])
            current = [values[variable] for variable in program.next_states]
        if self.reverse:
            output, kept = output[::-1], {name: each[::-1] for name, each in kept.items()}
        return ScanRun(output, current, kept)


def _mean(equation: Equation, sizes: Sizes, like: Tensor) -> Tensor:
    return like.new_full((1, equation.results[0].width(sizes)), float(equation.attributes["mean"]))
