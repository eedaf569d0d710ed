"""The arrays of a layer among those of a file, by the names of the layer and of the models around it."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.conversion.arrays import Arrays
from recurra.conversion.keras_config import KerasLayer


class LayerNames:
    """Finds the names of a layer's arrays.

    Args:
        arrays: the arrays of the file.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._by_part: dict[str, list[str]] = {}  # the names that have this part
        for name in arrays.values:
            for part in dict.fromkeys(name.split("/")):
                self._by_part.setdefault(part, []).append(name)

    def of(self, layer: KerasLayer, around: Sequence[KerasLayer]) -> dict[str, str]:
        """The names of a layer's arrays, by what stands behind the layer's own name in them.

        Args:
            layer: the layer.
            around: the models around it, the outermost first.
        """
        chain = [each.label for each in (*around, layer)]
        places = {name: _place(name.split("/"), chain) for name in self._by_part.get(chain[-1], ())}
        found = {name: place for name, place in places.items() if place is not None}
        first = min(found.values(), default=0)  # a model inside may have a layer of the same name
        return {"/".join(name.split("/")[place + 1 :]) or name: name for name, place in found.items() if place == first}


def _place(parts: Sequence[str], chain: Sequence[str]) -> int | None:
    """The place of the last name of a chain among the parts of an array's name; None if the chain is not there."""
    place = -1
    for name in chain:
        if name not in parts[place + 1 :]:
            return None
        place = parts.index(name, place + 1)
    return place
