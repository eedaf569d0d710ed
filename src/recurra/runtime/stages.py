"""The stages of a model, each of which takes the previous one's output, and runs of all stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from recurra.errors import RecurraError
from recurra.model import KINDS, Description, Part, recurrent_weights
from recurra.model.interface import leaves
from recurra.model.kinds import directions, features, layer_sizes, role
from recurra.program import Program, Sizes, Variable
from recurra.runtime.packed_program import Array, PackedProgram
from recurra.runtime.packing import Packing, run_sequences

_StageResults = tuple[Array, list[Array]]  # the output and the last states
_Run = Callable[[], object]


class ModelStage(Protocol):
    """One part of a model, made ready to run."""

    @property
    def has_states(self) -> bool:
        """Whether the stage carries states from step to step."""
        ...

    @property
    def output_size(self) -> int | None:
        """The number of output features; None where it is the number of input features."""
        ...

    def __call__(self, x: Array, states: Sequence[Array], packing: Packing | None) -> _StageResults:
        """Run over sequences.

        Args:
            x: (T, batch, input); for a table, tokens (T, batch).
            states: the first states, each (layers * directions, batch, size); empty where the stage has none.
            packing: the packing of the sequences; None where all have T steps.

        Returns:
            The output, (T, batch, output), and the last states, shaped as the first.
        """
        ...

    def repeated(self, x: Array, states: Sequence[Array], last: Sequence[Array]) -> tuple[Array, list[_Run]]:
        """Prepare runs over arrays that stay where they are.

        Args:
            x: as in a call; it may change between runs.
            states: as in a call; they may change between runs.
            last: the last states, which each run writes.

        Returns:
            The output, and functions that write it; a run calls all of them in order.
        """
        ...

    def step_programs(self, width: int) -> Sequence[PackedProgram]:
        """The programs that one step on ``width`` features runs, one after the other; none for a table.

        Raises:
            RecurraError: the stage cannot run step by step.
        """
        ...


@dataclass(frozen=True, eq=False)
class LookupStage:
    """An embedding, which looks up the row of each token in a table.

    Attributes:
        table: (tokens, features).
    """

    table: Array
    has_states = False

    @property
    def output_size(self) -> int:
        """The number of features of a row."""
        return int(self.table.shape[1])

    def __call__(self, x: Array, states: Sequence[Array] = (), packing: Packing | None = None) -> _StageResults:
        """Look up the rows of tokens of any shape; the features come last.

        Raises:
            IndexError: the table does not have one of the tokens.
        """
        if x.size and not (x.min() >= 0 and x.max() < len(self.table)):
            raise IndexError(f"tokens must be 0 … {len(self.table) - 1}; got {x.min()} … {x.max()}")
        return self.table[x], []

    def repeated(self, x: Array, states: Sequence[Array], last: Sequence[Array]) -> tuple[Array, list[_Run]]:
        """See ``ModelStage``."""
        output = np.empty((*x.shape, self.output_size), self.table.dtype)
        return output, [partial(np.take, self.table, x, 0, output)]

    def step_programs(self, width: int) -> Sequence[PackedProgram]:
        """See ``ModelStage``."""
        return ()


@dataclass(frozen=True, eq=False)
class ProgramStage:
    """A program without states, which computes each step independently.

    Attributes:
        program: the program.
        parameters: the program's weights.
        output_size: the number of output features; None where it is the number of input features.
    """

    program: Program
    parameters: Sequence[Array]
    output_size: int | None
    _packed: dict[int, PackedProgram] = field(default_factory=dict)
    has_states = False

    def packed(self, width: int) -> PackedProgram:
        """The program, packed for so many features."""
        if width not in self._packed:
            sizes = Sizes(width, self.output_size or 0)
            self._packed[width] = PackedProgram(self.program, self.parameters, sizes)
        return self._packed[width]

    def __call__(self, x: Array, states: Sequence[Array] = (), packing: Packing | None = None) -> _StageResults:
        """See ``ModelStage``."""
        output: Array = self.packed(x.shape[-1])(x, ()).output
        return output, []

    def repeated(self, x: Array, states: Sequence[Array], last: Sequence[Array]) -> tuple[Array, list[_Run]]:
        """See ``ModelStage``."""
        program = self.packed(x.shape[-1])
        output = np.empty((*x.shape[:-1], program.output_size), x.dtype)
        return output, [program.repeated(x, (), output, ())]

    def step_programs(self, width: int) -> Sequence[PackedProgram]:
        """See ``ModelStage``."""
        return (self.packed(width),)


@dataclass(frozen=True, eq=False)
class RecurrentStage:
    """A recurrent layer or cell: a program for each layer and direction.

    Attributes:
        programs: the programs, by layer, then by direction.
        state_names: the names of the states.
    """

    programs: tuple[tuple[PackedProgram, ...], ...]
    state_names: tuple[str, ...]
    has_states = True

    @property
    def count(self) -> int:
        """The number of layers times directions."""
        return len(self.programs) * len(self.programs[0])

    @property
    def output_size(self) -> int:
        """The number of output features, of all directions together."""
        return sum(program.output_size for program in self.programs[-1])

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """The number of features of each state."""
        return self.programs[0][0].state_sizes

    def __call__(self, x: Array, states: Sequence[Array], packing: Packing | None) -> _StageResults:
        """See ``ModelStage``."""
        last = [np.empty_like(state) for state in states]
        number = 0
        for layer in self.programs:
            outputs = []
            for program in layer:
                output, ends = run_sequences(program, x, [state[number] for state in states], packing)
                outputs.append(output)
                for own, end in zip(last, ends, strict=True):
                    own[number] = end
                number += 1
            x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, -1)
        return x, last

    def repeated(self, x: Array, states: Sequence[Array], last: Sequence[Array]) -> tuple[Array, list[_Run]]:
        """See ``ModelStage``."""
        runs: list[_Run] = []
        for layer in self.programs:
            output = np.empty((*x.shape[:-1], sum(program.output_size for program in layer)), x.dtype)
            begin = 0
            for program in layer:
                number, end = len(runs), begin + program.output_size
                ends = [state[number] for state in last]
                runs.append(program.repeated(x, [state[number] for state in states], output[..., begin:end], ends))
                begin = end
            x = output
        return x, runs

    def step_programs(self, width: int) -> Sequence[PackedProgram]:
        """See ``ModelStage``."""
        if len(self.programs[0]) > 1:
            raise RecurraError("a bidirectional model cannot be stepped: it would need the steps to come")
        return [layer[0] for layer in self.programs]


def stages(description: Description) -> list[ModelStage]:
    """The stages of a model, in order; parts that do nothing outside of training have none."""
    values: dict[int, Array] = {}  # tied weights are one array

    def value(name: str) -> Array:
        weight = description.weights[name]
        if id(weight) not in values:
            values[id(weight)] = weight.values()
        return values[id(weight)]

    built: list[ModelStage] = []
    for name, part in leaves(description.root):
        prefix = f"{name}." if name else ""
        weights = {weight: value(prefix + weight) for weight in KINDS[part.kind].weights(part)}
        built.append(_stage(part, weights, description.dtype))
    return built


def run_stages(
    stages: Sequence[ModelStage], x: Array, states: Sequence[Sequence[Array]], packing: Packing | None = None
) -> tuple[Array, list[list[Array]]]:
    """Run all stages over sequences.

    Args:
        stages: the model's stages.
        x: (T, batch, features), or tokens (T, batch).
        states: the first states of each stage that has any.
        packing: the packing of the sequences; None where all have T steps.

    Returns:
        The output, (T, batch, features), a new array, and the last states.
    """
    first, last, value = iter(states), [], x
    for stage in stages:
        value, ends = stage(value, next(first) if stage.has_states else (), packing)
        if stage.has_states:
            last.append(ends)
    return (np.array(x) if value is x else value), last


def step_programs(stages: Sequence[ModelStage], width: int) -> list[PackedProgram]:
    """The programs that one step on ``width`` features runs, one after the other.

    Raises:
        RecurraError: a layer is bidirectional.
    """
    programs: list[PackedProgram] = []
    for stage in stages:
        programs += stage.step_programs(width)
        width = width if stage.output_size is None else stage.output_size
    return programs


def _shaped(weight: Array, parameter: Variable) -> Array:
    """A weight in the shape that a program takes; torch stores a single number as (1,)."""
    return weight if parameter.shape else weight.reshape(())


def _stage(part: Part, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> ModelStage:
    if role(part) == "table":
        return LookupStage(weights["weight"])
    make_program = KINDS[part.kind].program
    if make_program is not None:
        program = make_program(part, dtype)
        parameters = [_shaped(weights[parameter.name], parameter) for parameter in program.parameters]
        return ProgramStage(program, parameters, features(part)[1])
    layers: list[tuple[PackedProgram, ...]] = []
    named = recurrent_weights(part)
    for layer, symbols in enumerate(layer_sizes(part)):
        both = named[layer * directions(part) : (layer + 1) * directions(part)]
        layers.append(
            tuple(
                PackedProgram(part.program, [weights[name] for name in shapes], symbols, reverse=direction == 1)
                for direction, (_, shapes) in enumerate(both)
            )
        )
    names = tuple(state.name for state in part.program.states)
    return RecurrentStage(tuple(layers), names)
