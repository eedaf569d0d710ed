"""The facts of an explanation as plain data: variables, parameters, layers, and the layers of a target together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from recurra.compiler.loop_kind import Classified, loop_kind
from recurra.look.batch_form import BatchForm
from recurra.look.dimensions import NamedShape, numbers, symbols
from recurra.look.layer_sizes import LayerPlace, LayerSizes
from recurra.look.relations import Relations
from recurra.program import Program


@dataclass(frozen=True)
class ExplainedVariable:
    """One variable.

    Attributes:
        name: its name; ``c'`` is the new value of ``c``.
        meaning: what it is, in words.
        dimensions: its shape in symbols and numbers.
        origins: where it comes from: variables and pieces of parameters, or words; empty for a parameter.
    """

    name: str
    meaning: str
    dimensions: NamedShape
    origins: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where it comes from, in one text."""
        return ", ".join(self.origins)

    @property
    def shape(self) -> str:
        """Its shape in symbols: ``(batch, 4*hidden)``."""
        return symbols(self.dimensions)

    @property
    def numbers(self) -> str:
        """Its shape in numbers: ``(3, 80)``; empty where none is known."""
        return numbers(self.dimensions)


@dataclass(frozen=True)
class ExplainedParameter(ExplainedVariable):
    """One parameter of one layer in one direction.

    Attributes:
        count: its numbers; None where sizes are not known.
        pieces: parts of it and the variables that each part is for, such as ``("[0:20]", "a_i")``.
    """

    count: int | None = None
    pieces: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ExplainedLayer:
    """One layer in one direction; or one step of a cell.

    Attributes:
        title: ``layer 1, backward``.
        place: its place in the stack; None for a cell.
        variables: the input, the states and what is computed, in the order in which they become known.
        parameters: its parameters, by their names in state_dict.
        multiplications: multiply-adds of one step of one sequence; None where sizes are not known.
        once: multiply-adds of a call besides, for products of parameters alone.
        kept: bytes kept in training; None where the batch is not known.
    """

    title: str
    place: LayerPlace | None
    variables: tuple[ExplainedVariable, ...]
    parameters: tuple[ExplainedParameter, ...]
    multiplications: int | None
    once: int
    kept: int | None

    @property
    def parameter_count(self) -> int | None:
        """The numbers of all parameters; None where sizes are not known."""
        counts = [parameter.count for parameter in self.parameters if parameter.count is not None]
        return sum(counts) if len(counts) == len(self.parameters) else None


@dataclass(frozen=True)
class ExplainedStack:
    """A recurrent layer with all its layers and directions, or a cell.

    Attributes:
        title: the layer as Python shows it.
        program: the equations of a step.
        sizes: the numbers; None for a cell alone.
        form: the layout of its input.
        is_cell: whether it runs one step.
        sequences: input, output and states of all steps; of a cell none.
        layers: every layer in every direction, in the order of the rows of h_n.
        equations: pairs: an equation, and the time at which it runs.
        relations: how output and last states relate; None for a cell.
        between: bytes kept in training besides those of each layer; None where the batch is not known.
        item: bytes of an element.
        notes: further remarks.
    """

    title: str
    program: Program
    sizes: LayerSizes | None = field(compare=False)  # all else follows from them
    form: BatchForm
    is_cell: bool
    sequences: tuple[ExplainedVariable, ...]
    layers: tuple[ExplainedLayer, ...]
    equations: tuple[tuple[str, str], ...]
    relations: Relations | None
    between: int | None
    item: int
    notes: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[tuple[ExplainedLayer, ...], ...]:
        """The layers whose sizes are the same, together, in order."""
        found: dict[object, list[ExplainedLayer]] = {}
        for layer in self.layers:
            place = layer.place
            found.setdefault(None if place is None else (place.layer > 0, place.sizes), []).append(layer)
        return tuple(map(tuple, found.values()))

    @property
    def loop(self) -> Classified:
        """The kind of the time loop, and why it is of that kind."""
        return loop_kind(self.program)

    @property
    def parameter_count(self) -> int | None:
        """The numbers of all parameters; None where sizes are not known."""
        return _sum(layer.parameter_count for layer in self.layers)

    @property
    def multiplications(self) -> int | None:
        """Multiply-adds of one step of one sequence through all layers; None where sizes are not known."""
        return _sum(layer.multiplications for layer in self.layers)

    @property
    def call_multiplications(self) -> int | None:
        """Multiply-adds of a call on the whole batch; None where the batch is not known."""
        rows = self.form.batch if self.is_cell else self.form.rows
        if rows is None or self.multiplications is None:
            return None
        return rows * self.multiplications + sum(layer.once for layer in self.layers)

    @property
    def kept(self) -> int | None:
        """Bytes kept in training; None where the batch is not known."""
        return _sum([*(layer.kept for layer in self.layers), self.between])


def _sum(values: Iterator[int | None] | list[int | None]) -> int | None:
    listed = list(values)
    known = [value for value in listed if value is not None]
    return sum(known) if len(known) == len(listed) else None
