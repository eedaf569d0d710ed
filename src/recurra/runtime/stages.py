"""The stages of a model, each of which takes the previous one's output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from recurra.errors import RecurraError
from recurra.model import KINDS, Description, Part, recurrent_weights
from recurra.model.arrangement import Arrangement
from recurra.model.interface import FurtherInput, leaves
from recurra.model.kinds import features, role
from recurra.model.recurrent_parts import adds_input, arrangement, directions, layer_sizes
from recurra.packed.packed_program import Array, PackedProgram
from recurra.packed.packing import Packing, run_sequences
from recurra.program import Products, Program, Sizes, Variable
from recurra.runtime.further_inputs import FurtherArrays, beside, further_arrays
from recurra.runtime.last_step import LastStepStage

NONE: FurtherArrays = MappingProxyType({})
_StageResults = tuple[Array, list[Array]]  # the output and the last states
_Run = Callable[[], object]


class ModelStage(Protocol):
    """One part of a model, made ready to run."""

    @property
    def has_states(self) -> bool:
        """Whether the stage carries states from step to step."""
        ...

    @property
    def is_chain(self) -> bool:
        """Whether a step is nothing but its programs, one after the other."""
        ...

    @property
    def output_size(self) -> int | None:
        """The number of output features; None where it is the number of input features."""
        ...

    def __call__(
        self, x: Array, states: Sequence[Array], packing: Packing | None, inputs: FurtherArrays
    ) -> _StageResults:
        """Run over sequences.

        Args:
            x: (T, batch, input); for a table, tokens (T, batch).
            states: the first states in the order of the model's interface, each (layers * directions, batch, size), or
                (directions, batch, size) where they come layer by layer; empty where the stage has none.
            packing: the packing of the sequences; None where all have T steps.
            inputs: the inputs beside the first one, of which recurrent stages take theirs.

        Returns:
            The output, (T, batch, output), and the last states, shaped as the first.
        """
        ...

    def repeated(
        self, x: Array, states: Sequence[Array], last: Sequence[Array], inputs: FurtherArrays = NONE
    ) -> tuple[Array, list[_Run]]:
        """Prepare runs over arrays that stay where they are.

        Args:
            x: as in a call; it may change between runs.
            states: as in a call; they may change between runs.
            last: the last states, which each run writes.
            inputs: as in a call; they may change between runs. Without them recurrent stages take the defaults.

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
    is_chain = True

    @property
    def output_size(self) -> int:
        """The number of features of a row."""
        return int(self.table.shape[1])

    def __call__(
        self, x: Array, states: Sequence[Array] = (), packing: Packing | None = None, inputs: FurtherArrays = NONE
    ) -> _StageResults:
        """Look up the rows of tokens of any shape; the features come last.

        Raises:
            IndexError: the table does not have one of the tokens.
        """
        self._check(x)
        return self.table[x], []

    def _check(self, x: Array) -> None:
        if x.size and not (x.min() >= 0 and x.max() < len(self.table)):
            raise IndexError(f"tokens must be 0 … {len(self.table) - 1}; got {x.min()} … {x.max()}")

    def repeated(
        self, x: Array, states: Sequence[Array], last: Sequence[Array], inputs: FurtherArrays = NONE
    ) -> tuple[Array, list[_Run]]:
        """See ``ModelStage``."""
        output = np.empty((*x.shape, self.output_size), self.table.dtype)
        return output, [partial(self._check, x), partial(np.take, self.table, x, 0, output, "clip")]

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
        compute: the operands of its products; None where the context says it.
    """

    program: Program
    parameters: Sequence[Array]
    output_size: int | None
    compute: Products | None = None
    _packed: dict[int, PackedProgram] = field(default_factory=dict)
    has_states = False
    is_chain = True

    def packed(self, width: int) -> PackedProgram:
        """The program, packed for so many features."""
        if width not in self._packed:
            sizes = Sizes(width, self.output_size or 0)
            self._packed[width] = PackedProgram(self.program, self.parameters, sizes, compute=self.compute)
        return self._packed[width]

    def __call__(
        self, x: Array, states: Sequence[Array] = (), packing: Packing | None = None, inputs: FurtherArrays = NONE
    ) -> _StageResults:
        """See ``ModelStage``."""
        output: Array = self.packed(x.shape[-1])(x, ()).output
        return output, []

    def repeated(
        self, x: Array, states: Sequence[Array], last: Sequence[Array], inputs: FurtherArrays = NONE
    ) -> tuple[Array, list[_Run]]:
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
        arrangement: how the programs are put together.
        adds_input: for each layer, whether its input is added to its output.
    """

    programs: tuple[tuple[PackedProgram, ...], ...]
    arrangement: Arrangement
    adds_input: tuple[bool, ...]
    has_states = True

    @property
    def output_size(self) -> int:
        """The number of output features, of all directions together."""
        return self.arrangement.width(self.programs[-1][0].output_size)

    @property
    def state_shapes(self) -> list[tuple[int, int]]:
        """For each state, or each state in each layer, the length of its first dimension and its features."""
        sizes = [layer[0].state_sizes for layer in self.programs]
        if self.arrangement.by_layer:
            return [(self.arrangement.directions, size) for of_state in zip(*sizes, strict=True) for size in of_state]
        return [(self.arrangement.count, size) for size in sizes[0]]

    def of_program(self, states: Sequence[Array], number: int) -> list[Array]:
        """The states of one program, (batch, size) each: views of states that are laid out as in a call."""
        if not self.arrangement.by_layer:
            return [state[number] for state in states]
        layer, direction = self.arrangement.place(number)
        return [state[direction] for state in states[layer :: len(self.programs)]]

    def joined(self, by_program: Sequence[Sequence[Array]]) -> list[Array]:
        """The states of all programs, laid out as in a call; new arrays."""
        of_states = list(zip(*by_program, strict=True))
        if not self.arrangement.by_layer:
            return [np.stack(values) for values in of_states]
        count = self.arrangement.directions
        cuts = range(0, len(by_program), count)
        return [np.stack(values[begin : begin + count]) for values in of_states for begin in cuts]

    def __call__(
        self, x: Array, states: Sequence[Array], packing: Packing | None, inputs: FurtherArrays = NONE
    ) -> _StageResults:
        """See ``ModelStage``."""
        last = [np.empty_like(state) for state in states]
        number = 0
        for layer, adds in zip(self.programs, self.adds_input, strict=True):
            outputs = []
            for program in layer:
                taken = beside(x, program.program, inputs)
                output, ends = run_sequences(program, taken, self.of_program(states, number), packing)
                outputs.append(output)
                for own, end in zip(self.of_program(last, number), ends, strict=True):
                    own[...] = end
                number += 1
            output = outputs[0] if len(outputs) == 1 else _merged(outputs, self.arrangement.merge_mode)
            x = x + output if adds else output
        return x, last

    def repeated(
        self, x: Array, states: Sequence[Array], last: Sequence[Array], inputs: FurtherArrays = NONE
    ) -> tuple[Array, list[_Run]]:
        """See ``ModelStage``."""
        runs: list[_Run] = []
        number = 0
        for layer, adds in zip(self.programs, self.adds_input, strict=True):
            outputs = _outputs(layer, x, self.arrangement.merge_mode)
            for program, output in zip(layer, outputs, strict=True):
                own, ends = self.of_program(states, number), self.of_program(last, number)
                runs.append(program.repeated(self._beside(x, program, inputs, runs), own, output, ends))
                number += 1
            output, merging = _merging(outputs, self.arrangement.merge_mode)
            runs += merging
            if adds:
                runs.append(partial(np.add, x, output, output))
            x = output
        return x, runs

    @staticmethod
    def _beside(x: Array, program: PackedProgram, inputs: FurtherArrays, runs: list[_Run]) -> Array:
        """An array for a layer's input with the others beside it, and runs that copy there what may change."""
        further = program.program.further_inputs
        if not further:
            return x
        changing = [x, *(inputs[each.name] for each in further if inputs)]
        if not inputs:
            wanted = [FurtherInput(each.name, each.size.value(program.sizes), each.default) for each in further]
            dimensions = dict(zip(("seq_len", "batch"), x.shape, strict=False))
            inputs = further_arrays(wanted, {}, dimensions, x.dtype)
        taken = beside(x, program.program, inputs)
        start = 0
        for array in changing:
            runs.append(partial(np.copyto, taken[..., start : start + array.shape[-1]], array))
            start += array.shape[-1]
        return taken

    @property
    def is_chain(self) -> bool:
        """Whether a step is nothing but its programs, one after the other."""
        return not any(self.adds_input)

    def step_programs(self, width: int) -> Sequence[PackedProgram]:
        """See ``ModelStage``."""
        if len(self.programs[0]) > 1:
            raise RecurraError("a bidirectional model cannot be stepped: it would need the steps to come")
        return [layer[0] for layer in self.programs]


def _merged(outputs: Sequence[Array], mode: str) -> Array:
    """Both directions' outputs as one."""
    if mode == "concat":
        return np.concatenate(outputs, -1)
    forward, backward = outputs
    if mode == "mul":
        return forward * backward
    total: Array = forward + backward
    return total / 2 if mode == "ave" else total


def _outputs(layer: Sequence[PackedProgram], x: Array, mode: str) -> list[Array]:
    """Arrays for the outputs of a layer's directions over x: parts of one array where they are beside each other."""
    shape, size = x.shape[:-1], layer[0].output_size
    if mode != "concat":
        return [np.empty((*shape, size), x.dtype) for _ in layer]
    whole = np.empty((*shape, size * len(layer)), x.dtype)
    return [whole[..., number * size : (number + 1) * size] for number in range(len(layer))]


def _merging(outputs: Sequence[Array], mode: str) -> tuple[Array, list[_Run]]:
    """The array that holds a layer's output after both directions, and functions that write it."""
    if mode == "concat":
        whole = outputs[0] if len(outputs) == 1 else outputs[0].base
        assert whole is not None
        return whole, []
    forward, backward = outputs
    runs: list[_Run] = [partial(np.multiply if mode == "mul" else np.add, forward, backward, forward)]
    if mode == "ave":
        runs.append(partial(np.divide, forward, 2, forward))
    return forward, runs


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


def by_stage(stages: Sequence[RecurrentStage], flat: Sequence[Array]) -> list[list[Array]]:
    """The states of all programs, given one after the other, grouped by stage and laid out as in a call; new arrays."""
    arrays, found = iter(flat), []
    for stage in stages:
        programs = [program for layer in stage.programs for program in layer]
        found.append(stage.joined([[next(arrays) for _ in program.state_sizes] for program in programs]))
    return found


def by_program(stages: Sequence[RecurrentStage], states: Sequence[Sequence[Array]]) -> list[Array]:
    """The states of recurrent stages, laid out as in a call, as a list, program by program."""
    return [
        np.ascontiguousarray(state)
        for stage, of_stage in zip(stages, states, strict=True)
        for number in range(stage.arrangement.count)
        for state in stage.of_program(of_stage, number)
    ]


def _shaped(weight: Array, parameter: Variable) -> Array:
    """A weight in the shape that a program takes; torch stores a single number as (1,)."""
    return weight if parameter.shape else weight.reshape(())


def _stage(part: Part, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> ModelStage:
    if role(part) == "table":
        return LookupStage(weights["weight"])
    if role(part) == "last":
        return LastStepStage(part.flag("bidirectional"))
    make_program = KINDS[part.kind].program
    if make_program is not None:
        program = make_program(part, dtype)
        parameters = [_shaped(weights[parameter.name], parameter) for parameter in program.parameters]
        return ProgramStage(program, parameters, features(part)[1], part.compute)
    layers: list[tuple[PackedProgram, ...]] = []
    named, count = recurrent_weights(part), directions(part)
    for layer, symbols in enumerate(layer_sizes(part)):
        both = named[layer * count : (layer + 1) * count]
        layers.append(
            tuple(
                PackedProgram(part.program, [weights[name] for name in shapes], symbols, direction == 1, part.compute)
                for direction, (_, shapes) in enumerate(both)
            )
        )
    return RecurrentStage(tuple(layers), arrangement(part), adds_input(part))
