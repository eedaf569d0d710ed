"""``StepArrays``: arrays over the steps of a sequence, by variable, layer and direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GatePlace = tuple[str, int, int]


class StepArrays(Mapping[GatePlace, "NDArray[np.floating]"]):
    """Arrays (steps, units) by variable, layer and direction: ``arrays["f", layer, direction]``.

    Direction 0 is forward and 1 reverse; in both, a row stands for the step at which it was computed. Where there is
    one direction the key needs none, and where there is one layer too the name is enough: ``arrays["f"]``.

    Args:
        values: the arrays by their full keys.
        what: the name of the arrays in messages, such as ``gates``.
    """

    def __init__(self, values: Mapping[GatePlace, NDArray[np.floating]], what: str) -> None:
        self._values, self._what = dict(values), what

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the variables, in the order of the cell's equations."""
        return tuple(dict.fromkeys(name for name, _, _ in self._values))

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """The layers and directions."""
        return tuple(dict.fromkeys((layer, direction) for _, layer, direction in self._values))

    def __getitem__(self, key: str | tuple[str, int] | GatePlace) -> NDArray[np.floating]:
        name, *place = (key,) if isinstance(key, str) else key
        matching = [full for full in self._values if full[0] == name and full[1 : 1 + len(place)] == tuple(place)]
        if len(matching) == 1:
            return self._values[matching[0]]
        if name not in self.names:
            raise KeyError(f"no variable {name!r} in the {self._what}; there are: {', '.join(self.names) or 'none'}")
        layers, directions = (1 + max(each) for each in zip(*self.places, strict=True))
        raise KeyError(
            f"{self._what}[{name!r}, layer, direction]: layer from 0 to {layers - 1}, direction from 0 to "
            f"{directions - 1}; got {key!r}"
        )

    def __iter__(self) -> Iterator[GatePlace]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {array.shape}" for (name, *_), array in self._values.items())
        return f"StepArrays({shown})"
