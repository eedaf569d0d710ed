"""The interface of a model, and the check that its parts fit behind one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.errors import FileFormatError
from recurra.model.kinds import SUM, features, is_recurrent, role
from recurra.model.part import Part
from recurra.model.recurrent_parts import arrangement, layer_sizes

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class StateInterface:
    """A state of a recurrent part.

    Attributes:
        name: its name in the cell, such as ``h``; where states come layer by layer, with the layer: ``h_l0``.
        part: the name of its part where the model has several recurrent parts; else empty.
        count: the number of layers times directions, or of directions where states come layer by layer; None for a
            cell, whose state has no such dimension.
        size: the number of its features.
    """

    name: str
    part: str
    count: int | None
    size: int

    @property
    def full_name(self) -> str:
        """Its name in the model; it begins with the part's name where there are several recurrent parts."""
        return f"{self.part}.{self.name}" if self.part else self.name

    @property
    def shape(self) -> tuple[int | str, ...]:
        """``("batch", size)``; for a layer, ``count`` comes first."""
        return *self.leading, "batch", self.size

    @property
    def leading(self) -> tuple[int, ...]:
        """The dimensions before the batch."""
        return () if self.count is None else (self.count,)


@dataclass(frozen=True)
class FurtherInput:
    """An input of a model beside the first one, which one or several recurrent parts take.

    Attributes:
        name: its name in the cells.
        size: the number of its features.
        default: the number that it is where a call does not give it; None if every call must.
    """

    name: str
    size: int
    default: float | None


@dataclass(frozen=True)
class Interface:
    """The input, the output and the states of a model.

    Attributes:
        parts: the parts that compute something, with their names, in order.
        states: the states of each recurrent part, by the part's name.
        tokens: the size of the vocabulary where the input is token numbers; None where it is features.
        input_size: the number of input features; None where no part settles it, and for tokens.
        output_size: the number of output features; None where no part settles it.
        is_cell: whether a call is one step, without a dimension of time.
        batch_first: whether the batch comes before time.
        dtype: the dtype of input, output and states, float32 or float64; tokens are int64.
        further_inputs: the inputs beside the first one.
        gives_last_step: whether the output has no dimension of time, as a part hands on the last step alone.
        sums: the sums around parts, as ``sums_of`` gives them.
    """

    parts: tuple[tuple[str, Part], ...]
    states: dict[str, tuple[StateInterface, ...]]
    tokens: int | None
    input_size: int | None
    output_size: int | None
    is_cell: bool
    batch_first: bool
    dtype: np.dtype[Any]
    further_inputs: tuple[FurtherInput, ...] = ()
    gives_last_step: bool = False
    sums: tuple[tuple[int, int], ...] = ()

    @property
    def takes_tokens(self) -> bool:
        """Whether the input is token numbers."""
        return self.tokens is not None

    @property
    def rows(self) -> tuple[str, ...]:
        """The dimensions of input and output before the features: batch and time."""
        if self.is_cell:
            return ("batch",)
        return ("batch", "seq_len") if self.batch_first else ("seq_len", "batch")

    @property
    def input_shape(self) -> tuple[int | str, ...]:
        """``rows``, and for features their number, or ``"features"`` where no part settles it."""
        return self.rows if self.takes_tokens else (*self.rows, self.input_size or "features")

    @property
    def output_shape(self) -> tuple[int | str, ...]:
        """``rows``, or the batch alone, and the number of features, or ``"features"`` where no part settles it."""
        return *(("batch",) if self.gives_last_step else self.rows), self.output_size or "features"

    @property
    def flat_states(self) -> list[StateInterface]:
        """The states of all parts, in order."""
        return [state for states in self.states.values() for state in states]


def interface_of(root: Part, dtype: np.dtype[Any]) -> Interface:
    """The interface of a model whose parts fit behind one another.

    Args:
        root: the tree of parts.
        dtype: the dtype that the model computes in.

    Raises:
        FileFormatError: there are several models inside, which do not run as one.
    """
    if role(root) == "models":
        raise FileFormatError(
            f"it holds {len(root.children)} models ({root.kind}), which do not run as one: "
            "recurra.runtime.load_forecaster runs a forecaster, and Description.members() gives each model"
        )
    parts = tuple(leaves(root))
    recurrent = [(name, part) for name, part in parts if is_recurrent(part)]
    input_size: int | None = None
    output_size: int | None = None
    for _, part in parts:
        taken, given = features(part)
        if output_size is None:
            input_size = taken
        output_size = output_size if given is None else given
    first = parts[0][1] if parts else None
    return Interface(
        parts,
        {name: tuple(_states(name if len(recurrent) > 1 else "", part)) for name, part in recurrent},
        tokens=first.size("num_embeddings") if first is not None and role(first) == "table" else None,
        input_size=input_size,
        output_size=output_size,
        is_cell=any(role(part) == "cell" for _, part in recurrent),
        batch_first=any("batch_first" in part.settings and part.flag("batch_first") for _, part in parts),
        dtype=dtype,
        further_inputs=_further_inputs(recurrent),
        gives_last_step=any(role(part) == "last" for _, part in parts),
        sums=sums_of(root),
    )


def _further_inputs(recurrent: Iterable[tuple[str, Part]]) -> tuple[FurtherInput, ...]:
    """The inputs beside the first one of all recurrent parts; parts that name one alike share it.

    Raises:
        FileFormatError: an input has several sizes or defaults.
    """
    found: dict[str, FurtherInput] = {}
    for name, part in recurrent:
        for each in part.program.further_inputs:
            for sizes in layer_sizes(part):
                own = FurtherInput(each.name, each.size.value(sizes), each.default)
                if found.setdefault(each.name, own) != own:
                    raise FileFormatError(f"{name or part.kind}: its input {each.name} has another size or default")
    return tuple(found.values())


def _states(name: str, part: Part) -> Iterator[StateInterface]:
    layers, arranged = layer_sizes(part), arrangement(part)
    count = arranged.count if role(part) == "layer" else None
    for state in part.program.states:
        if arranged.by_layer:
            for layer, sizes in enumerate(layers):
                yield StateInterface(f"{state.name}_l{layer}", name, arranged.directions, state.width(sizes))
        else:
            yield StateInterface(state.name, name, count, state.width(layers[0]))


def leaves(root: Part, model: str = "") -> Iterator[tuple[str, Part]]:
    """The parts that compute something when a model is used, with their names, in order; `model` is the root's name."""
    for name, part in root.walk(model):
        if role(part) not in ("container", "models", "nothing"):
            yield name, part


def sums_of(root: Part) -> tuple[tuple[int, int], ...]:
    """The sums around parts: the number of the first leaf inside each, and that behind its last; outer ones first."""
    found: list[tuple[int, int]] = []
    count = 0

    def visit(part: Part) -> None:
        nonlocal count
        if part.kind == SUM:
            place, first = len(found), count
            found.append((first, first))
        count += role(part) not in ("container", "models", "nothing")
        for _, child in part.children:
            visit(child)
        if part.kind == SUM:
            found[place] = (first, count)

    visit(root)
    return tuple(found)


def check_chain(root: Part, model: str = "") -> None:
    """Refuse parts that do not fit behind one another; `model` is the root's name in messages.

    Raises:
        FileFormatError: two parts do not fit; the message names them.
    """
    width, before = None, ""
    layouts: dict[object, str] = {}
    last = ""
    for number, (name, part) in enumerate(leaves(root, model)):
        taken, given = features(part)
        own = f"{name} ({part.kind})"
        if role(part) == "table" and number > 0:
            raise FileFormatError(f"{own} must be the first part, as it takes numbers of tokens")
        if width is not None and taken not in (width, None):
            raise FileFormatError(f"{own} takes {taken} features, and {before}, the part before it, gives {width}")
        width, before = width if given is None else given, own
        takes_steps = is_recurrent(part) or role(part) == "last"
        if takes_steps and last:
            raise FileFormatError(
                f"{own} takes the steps of sequences, and {last}, before it, hands on the last one alone"
            )
        last = own if role(part) == "last" else last
        if takes_steps:
            layouts.setdefault(part.settings.get("batch_first"), own)
    if len(layouts) > 1:
        one, other, *_ = layouts.values()
        raise FileFormatError(f"{one} and {other} must agree in batch_first, and be layers or cells both")
