"""Conversion of the states of a model's recurrent parts between nested tuples and one flat list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import RecurraError
from recurra.mistakes import address
from recurra.model import Part
from recurra.model.kinds import is_recurrent, role
from recurra.model.recurrent_parts import arrangement
from recurra.packed.packed_program import Array
from recurra.runtime.inputs import array_of


@dataclass(frozen=True)
class Nest:
    """The nesting of a part's state: arrays for a recurrent part, a nest for each recurrent part of a container.

    Attributes:
        names: the names of a recurrent part's states.
        inner: the nests of a container's recurrent parts; a single one takes the container's place. Also those of a
            part's states that come layer by layer.
        levels: the name of a state that comes layer by layer, ``names`` being those in each layer; else empty.
    """

    names: tuple[str, ...] = ()
    inner: tuple[Nest, ...] = ()
    levels: str = ""

    @staticmethod
    def of(part: Part) -> Nest:
        """The nesting of a part's state."""
        if is_recurrent(part):
            names = tuple(state.name for state in part.program.states)
            arranged = arrangement(part)
            if not arranged.by_layer:
                return Nest(names)
            layers = range(len(arranged.hidden_sizes))
            nests = tuple(Nest(tuple(f"{name}_l{layer}" for layer in layers), levels=name) for name in names)
            return nests[0] if len(nests) == 1 else Nest(inner=nests)
        nests = tuple(nest for nest in (Nest.of(child) for _, child in part.children) if nest.names or nest.inner)
        return nests[0] if len(nests) == 1 and role(part) == "container" else Nest(inner=nests)

    def flatten(self, given: Any) -> Iterator[Array | None]:
        """The arrays of a nested state, one after the other; None stands for zeros.

        Raises:
            RecurraError: the state is nested otherwise.
        """
        if not self.names and not self.inner:
            if given is not None and not (isinstance(given, (tuple, list)) and len(given) == 0):
                raise RecurraError("the model has no recurrent part: its state is None, or an empty tuple")
            return
        if len(self.names) == 1 and not self.levels:
            if isinstance(given, (tuple, list)):
                raise RecurraError(
                    f"{self.names[0]} is one state: give the array itself, not a {type(given).__name__} "
                    f"{address('lstm-state-for-gru')}"
                )
            yield given
            return
        count = len(self.names) or len(self.inner)
        if given is not None and (not isinstance(given, (tuple, list)) or len(given) != count):
            what = f"({', '.join(self.names)})" if self.names else self._inner_names
            got = f"{len(given)}" if isinstance(given, (tuple, list)) else type(given).__name__
            raise RecurraError(f"a state must be a tuple, {what}; got {got} {address('lstm-state-for-gru')}")
        for number in range(count):
            value = None if given is None else given[number]
            if self.names:
                yield value
            else:
                yield from self.inner[number].flatten(value)

    @property
    def _inner_names(self) -> str:
        """What a tuple of the inner nests holds, in words."""
        if all(nest.levels for nest in self.inner):
            return f"({', '.join(nest.levels for nest in self.inner)})"
        return f"one for each of {len(self.inner)} recurrent parts"

    def nest(self, arrays: Iterator[Array]) -> Any:
        """The nested state of arrays that come one after the other."""
        if self.names:
            states = tuple(next(arrays) for _ in self.names)
            return states if len(states) > 1 or self.levels else states[0]
        return tuple(nest.nest(arrays) for nest in self.inner)


def checked(name: str, given: Array | None, shape: Sequence[tuple[str, int]], dtype: np.dtype[Any]) -> Array:
    """The given state, checked, or zeros of this shape where none is given.

    Raises:
        RecurraError: the state has another shape or no numbers; the message names the dimensions.
    """
    sizes = tuple(size for _, size in shape)
    if given is None:
        return np.zeros(sizes, dtype)
    array = array_of(f"state {name}", given)
    if array.shape != sizes or array.dtype.kind not in "fiu":
        expected = ", ".join(f"{label}={size}" for label, size in shape)
        raise RecurraError(
            f"state {name} must be numbers ({expected}); got {array.dtype} {array.shape} {address('h0-shape')}"
        )
    return np.ascontiguousarray(array, dtype)
