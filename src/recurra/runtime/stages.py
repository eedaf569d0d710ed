"""A description's parts as stages, each of which takes the output of the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.model import KINDS, Description, Part, recurrent_weights
from recurra.model.interface import features, leaves
from recurra.model.kinds import directions, layer_sizes
from recurra.program import Program, Sizes, Variable
from recurra.runtime.feed_forward import PROGRAMS
from recurra.runtime.packing import Packing
from recurra.runtime.run import Array, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Lookup:
    """An embedding: numbers of tokens to rows of a table.

    Attributes:
        table: (tokens, features).
    """

    table: Array
    input_size = None  # not features, but tokens

    @property
    def output_size(self) -> int:
        """Features of a row."""
        return int(self.table.shape[1])

    def __call__(self, ids: NDArray[np.integer[Any]]) -> Array:
        """Rows for ids of any shape; the features come last.

        Raises:
            IndexError: a token that the table does not have.
        """
        if ids.size and not (ids.min() >= 0 and ids.max() < len(self.table)):
            raise IndexError(f"tokens must be 0 … {len(self.table) - 1}; got {ids.min()} … {ids.max()}")
        rows: Array = self.table[ids]
        return rows


@dataclass(frozen=True, eq=False)
class FeedForward:
    """What computes each step of its own.

    Attributes:
        program: without states.
        parameters: its weights.
        input_size: features that it takes; None for an activation, which takes what arrives.
        output_size: features that it gives; None for as many as it takes.
    """

    program: Program
    parameters: Sequence[Array]
    input_size: int | None
    output_size: int | None
    _runs: dict[int, Run] = field(default_factory=dict)

    def run(self, width: int) -> Run:
        """The run for so many features."""
        if width not in self._runs:
            sizes = Sizes(width, self.output_size or 0)
            self._runs[width] = Run(self.program, self.parameters, sizes)
        return self._runs[width]

    def __call__(self, x: Array) -> Array:
        """(T, batch, input) to (T, batch, output)."""
        output: Array = self.run(x.shape[-1])(x, ()).output
        return output


@dataclass(frozen=True, eq=False)
class Recurrent:
    """A layer: runs over sequences, for each layer and direction.

    Attributes:
        runs: by layer, then by direction.
        names: of the states.
        is_cell: whether a call is one step.
        batch_first: whether its own input is (batch, T, features).
    """

    runs: tuple[tuple[Run, ...], ...]
    names: tuple[str, ...]
    is_cell: bool
    batch_first: bool

    @property
    def count(self) -> int:
        """Layers times directions."""
        return len(self.runs) * len(self.runs[0])

    @property
    def input_size(self) -> int:
        """Features of its input."""
        return self.runs[0][0].input_size

    @property
    def output_size(self) -> int:
        """Features of its output, of all directions."""
        return sum(run.output_size for run in self.runs[-1])

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state."""
        return self.runs[0][0].state_sizes

    def zeros(self, batch: int, dtype: np.dtype[Any]) -> list[Array]:
        """The default states, (layers * directions, batch, size)."""
        return [np.zeros((self.count, batch, size), dtype) for size in self.state_sizes]

    def __call__(self, x: Array, states: Sequence[Array], packing: Packing | None) -> tuple[Array, list[Array]]:
        """(T, batch, input) to (T, batch, output), and the last states, shaped as the first."""
        last = [np.empty_like(state) for state in states]
        number = 0
        for layer in self.runs:
            outputs = []
            for run in layer:
                first = [state[number] for state in states]
                output, ends = _dense(run, x, first) if packing is None else packing.run(run, x, first)
                outputs.append(output)
                for place, end in zip(last, ends, strict=True):
                    place[number] = end
                number += 1
            x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, -1)
        return x, last


def _dense(run: Run, x: Array, first: Sequence[Array]) -> tuple[Array, Sequence[Array]]:
    if not len(x):
        return np.zeros((*x.shape[:2], run.output_size), x.dtype), first
    result = run(x, first)
    return result.output, result.states


Stage = Lookup | FeedForward | Recurrent


def stages(description: Description) -> list[Stage]:
    """What a model computes, in order; what does nothing in use is left out."""
    values: dict[int, Array] = {}  # tied weights are one array

    def value(name: str) -> Array:
        weight = description.weights[name]
        if id(weight) not in values:
            values[id(weight)] = weight.values()
        return values[id(weight)]

    found: list[Stage] = []
    for name, part in leaves(description.root):
        prefix = f"{name}." if name else ""
        weights = {weight: value(prefix + weight) for weight in KINDS[part.kind].weights(part)}
        found.append(_stage(part, weights, description.is_double))
    return found


def _shaped(weight: Array, parameter: Variable) -> Array:
    """A weight as a program takes it; torch has single numbers as (1,)."""
    return weight if parameter.shape else weight.reshape(())


def _stage(part: Part, weights: Mapping[str, Array], double: bool) -> Stage:
    if part.kind == "Embedding":
        return Lookup(weights["weight"])
    if part.kind in PROGRAMS:
        program = PROGRAMS[part.kind](part, double)
        parameters = [_shaped(weights[parameter.name], parameter) for parameter in program.parameters]
        return FeedForward(program, parameters, *features(part))
    runs: list[tuple[Run, ...]] = []
    named = recurrent_weights(part)
    for layer, symbols in enumerate(layer_sizes(part)):
        both = named[layer * directions(part) : (layer + 1) * directions(part)]
        runs.append(
            tuple(
                Run(part.program, [weights[name] for name in shapes], symbols, reverse=direction == 1)
                for direction, (_, shapes) in enumerate(both)
            )
        )
    names = tuple(state.name for state in part.program.states)
    is_cell = "num_layers" not in part.settings
    return Recurrent(tuple(runs), names, is_cell, part.settings.get("batch_first") is True)
