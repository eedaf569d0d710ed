"""A model's inputs and outputs as a graph has them: which there are, their names and their dimensions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recurra.errors import OnnxError
from recurra.model import Part
from recurra.model.kinds import CELLS, CONTAINERS, LAYERS_OF_CELLS, directions, layer_sizes

_SIZES = {"Linear": "in_features", "LayerNorm": "features", "RMSNorm": "features"}  # of the input, by kind
_SIZES.update(dict.fromkeys((*LAYERS_OF_CELLS, *CELLS), "input_size"))


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
    """The inputs and outputs of a model.

    Raises:
        OnnxError: its parts do not fit together; names them.
    """
    parts = tuple((name, part) for name, part in root.walk() if part.kind not in CONTAINERS)
    layers = [(name, part) for name, part in parts if part.kind in LAYERS_OF_CELLS]
    cells = [(name, part) for name, part in parts if part.kind in CELLS]
    has_ids = _check_together(parts, layers, cells)
    input_size, output_size = _sizes(parts)
    recurrent = [*layers, *cells]
    return Interface(
        parts,
        {name: tuple(_states(name if len(recurrent) > 1 else "", part)) for name, part in recurrent},
        has_ids,
        input_size,
        output_size,
        has_steps=not cells,
        batch_first=bool(layers) and layers[0][1].flag("batch_first"),
    )


Named = tuple[str, Part]


def _check_together(parts: Sequence[Named], layers: Sequence[Named], cells: Sequence[Named]) -> bool:
    """Refuse parts that one graph cannot hold; else whether the first one takes numbers of rows."""
    if layers and cells:
        raise OnnxError(
            f"{_named(*layers[0])} runs over sequences and {_named(*cells[0])} over one step: one graph cannot"
        )
    for name, part in layers:
        if part.flag("batch_first") != layers[0][1].flag("batch_first"):
            raise OnnxError(f"{_named(name, part)} and {_named(*layers[0])} differ in batch_first")
    working = [(name, part) for name, part in parts if part.kind != "Identity"]
    for name, part in working[1:]:
        if part.kind == "Embedding":
            raise OnnxError(f"{_named(name, part)} takes whole numbers, and must be the first part")
    return bool(working) and working[0][1].kind == "Embedding"


def _named(name: str, part: Part) -> str:
    return f"{name} ({part.kind})" if name else f"the model ({part.kind})"


def _states(name: str, part: Part) -> Iterator[State]:
    """The states of a recurrent part; their names begin with the part's, where it has one."""
    prefix, sizes, program = f"{name}." if name else "", layer_sizes(part)[0], part.program
    count = directions(part) * part.size("num_layers") if part.kind in LAYERS_OF_CELLS else None
    for state in program.states:
        yield State(f"{prefix}{state.name}_0", f"{prefix}{state.name}_n", count, state.shape[0].value(sizes))


def _sizes(parts: tuple[tuple[str, Part], ...]) -> tuple[int | None, int | None]:
    """Features of the input and the output.

    Raises:
        OnnxError: a part does not take what the one before it gives.
    """
    first: int | None = None
    now: int | None = None
    for name, part in parts:
        wanted = part.size(_SIZES[part.kind]) if part.kind in _SIZES else None
        if wanted is not None and now is not None and wanted != now:
            raise OnnxError(f"{_named(name, part)} takes {wanted} features, and gets {now}")
        first = first if first is not None or now is not None else wanted
        now = _output_size(part, wanted if wanted is not None else now)
    return first, now


def _output_size(part: Part, features: int | None) -> int | None:
    if part.kind == "Linear":
        return part.size("out_features")
    if part.kind == "Embedding":
        return part.size("embedding_dim")
    if "program" in part.settings:
        return directions(part) * part.program.output.shape[0].value(layer_sizes(part)[-1])
    return features
