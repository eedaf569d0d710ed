"""``Trace``, the values of every named variable of a cell at every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

Traced = Tensor | PackedSequence
_Key = tuple[str, int, int]
_T = TypeVar("_T")


class Trace(Mapping[_Key, Traced]):
    """The result of ``return_trace=True``: ``trace["i", layer, direction]``, direction 0 forward and 1 reverse.

    Each value has the form of the layer's input: (seq_len, batch, size), (batch, seq_len, size) with ``batch_first``,
    (seq_len, size) unbatched, or packed. In both directions a value stands at the time step at which it was computed.
    The name of a state holds its new value. A module of one direction needs no direction in the key, one of a single
    layer no layer either: ``trace["i", layer]``, ``trace["i"]``.
    """

    def __init__(self, values: Mapping[_Key, Traced]) -> None:
        self._values = dict(values)

    @property
    def names(self) -> tuple[str, ...]:
        """The traced names, in the order of the cell's equations."""
        return tuple(dict.fromkeys(name for name, _, _ in self._values))

    def __getitem__(self, key: str | tuple[str, int] | _Key) -> Traced:
        if not isinstance(key, (str, tuple)) or not key:
            raise KeyError(f"trace[name, layer, direction]; got {key!r}")
        name, *place = (key,) if isinstance(key, str) else key
        matching = [full for full in self._values if full[0] == name and full[1 : 1 + len(place)] == tuple(place)]
        if len(matching) == 1:
            return self._values[matching[0]]
        if name not in self.names:
            raise KeyError(f"no variable {name!r} in the trace; there are: {', '.join(self.names)}")
        layers = 1 + max(layer for _, layer, _ in self._values)
        directions = 1 + max(direction for _, _, direction in self._values)
        raise KeyError(
            f"trace[{name!r}, layer, direction]: layer from 0 to {layers - 1}, direction from 0 to {directions - 1}; "
            f"got {key!r}"
        )

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Trace({', '.join(self.names)})"
