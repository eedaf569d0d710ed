"""A model's inputs and outputs as a graph has them: which there are, their names and their dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recurra.model import Part
from recurra.model.interface import features, leaves
from recurra.model.kinds import directions, is_recurrent, layer_sizes, role


@dataclass(frozen=True)
class State:
    """A state of a part.

    Attributes:
        first: the input's name.
        last: the output's name.
        count: how many layers and directions it is of, its first dimension; None of a cell, which has no such one.
        size: its features.
    """

    first: str
    last: str
    count: int | None
    size: int

    @property
    def leading(self) -> list[int]:
        """The dimensions before the batch."""
        return [] if self.count is None else [self.count]


@dataclass(frozen=True)
class Interface:
    """What goes in and out of a model.

    Attributes:
        parts: those that compute something, with their names, one after the other.
        states: of each recurrent part, by its name.
        has_ids: whether the input is numbers of an Embedding's rows.
        input_size: features of the input; None where no part says it.
        output_size: features of the output; None likewise.
        has_steps: whether there is a dimension of time; a cell has none.
        batch_first: whether the batch stands before it.
    """

    parts: tuple[tuple[str, Part], ...]
    states: dict[str, tuple[State, ...]]
    has_ids: bool
    input_size: int | None
    output_size: int | None
    has_steps: bool
    batch_first: bool

    @property
    def rows(self) -> list[str]:
        """The dimensions of the input and the output before the features."""
        if not self.has_steps:
            return ["batch"]
        return ["batch", "seq_len"] if self.batch_first else ["seq_len", "batch"]


def interface(root: Part) -> Interface:
    """The inputs and outputs of a model whose parts fit behind one another."""
    parts = tuple(leaves(root))
    recurrent = [(name, part) for name, part in parts if is_recurrent(part)]
    input_size: int | None = None
    output_size: int | None = None
    for _, part in parts:
        taken, given = features(part)
        if output_size is None:
            input_size = taken
        output_size = output_size if given is None else given
    return Interface(
        parts,
        {name: tuple(_states(name if len(recurrent) > 1 else "", part)) for name, part in recurrent},
        has_ids=bool(parts) and role(parts[0][1]) == "table",
        input_size=input_size,
        output_size=output_size,
        has_steps=not any(role(part) == "cell" for _, part in recurrent),
        batch_first=any("batch_first" in part.settings and part.flag("batch_first") for _, part in recurrent),
    )


def _states(name: str, part: Part) -> Iterator[State]:
    """The states of a recurrent part; their names begin with the part's, where it has one."""
    prefix, sizes, program = f"{name}." if name else "", layer_sizes(part)[0], part.program
    count = directions(part) * part.size("num_layers") if role(part) == "layer" else None
    for state in program.states:
        yield State(f"{prefix}{state.name}_0", f"{prefix}{state.name}_n", count, state.shape[0].value(sizes))
