"""``Property``: something that is known of every step of a sequence, which a unit may follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

YES_NO, NUMBER, CYCLE, CATEGORY = "yes/no", "number", "cycle", "category"
LEAST = 5  # steps of each side of a yes/no property, and of all that are known
CATEGORIES = 50  # the most


@dataclass(frozen=True, eq=False)
class Property:
    """Something that is known of every step.

    Attributes:
        name: a short name, such as ``quotes``.
        kind: ``yes/no``, ``number``, ``cycle`` (a place in a cycle, from 0 to 1) or ``category``.
        values: (steps,); bool for ``yes/no``, whole numbers from 0 for ``category``, else float64 with NaN where it is
            not known.
        meaning: what it says, such as ``inside quotes``.
    """

    name: str
    kind: str
    values: NDArray[Any]
    meaning: str

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool (steps,): whether the property is known there."""
        if self.kind in (NUMBER, CYCLE):
            return np.asarray(np.isfinite(self.values))
        return np.ones(len(self.values), np.bool_)

    @property
    def problem(self) -> str | None:
        """The reason why no unit can be seen to follow it here; None where there is none."""
        values = self.values[self.known]
        if len(values) < 2 * LEAST:
            return f"it is known of {len(values)} steps alone"
        if self.kind == YES_NO:
            yes = int(values.sum())
            if min(yes, len(values) - yes) < LEAST:
                return f"it holds in {yes} of {len(values)} steps; there must be {LEAST} with and {LEAST} without it"
        elif np.ptp(values) <= 1e-9 * np.abs(values).max():
            return "it is the same in all steps"
        elif self.kind == CATEGORY and len(np.unique(values)) > CATEGORIES:
            return f"it has more than {CATEGORIES} categories"
        return None

    def design(self) -> NDArray[np.float64]:
        """The columns from which a unit is explained, float64 (steps, columns); zero where it is not known."""
        values = np.where(self.known, self.values, 0)
        if self.kind == CYCLE:
            angle = 2 * np.pi * values
            return np.stack([np.sin(angle), np.cos(angle)], 1)
        if self.kind == CATEGORY:
            return np.asarray(values[:, None] == np.unique(values)[1:], np.float64)
        return np.asarray(values[:, None], np.float64)


def property_of(name: str, values: Any) -> Property:
    """The property that an array or list of values is.

    Args:
        name: its name.
        values: (steps,): bools, numbers, or texts, which are categories.

    Raises:
        TypeError: the values are none of these.
        ValueError: they are not one for each step.
    """
    if isinstance(values, Property):
        return values
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"property {name!r} must have a value for each step, (steps,); got {array.shape}")
    if array.dtype.kind == "b":
        return Property(name, YES_NO, array, name)
    if array.dtype.kind in "iuf":
        return Property(name, NUMBER, array.astype(np.float64), name)
    if array.dtype.kind in "UO" and all(isinstance(each, str) for each in array.tolist()):
        return Property(name, CATEGORY, np.unique(array, return_inverse=True)[1], name)
    raise TypeError(f"property {name!r} must be bools, numbers or texts, not {array.dtype}")


def properties_of(given: Mapping[str, Any] | Sequence[Property], steps: int) -> list[Property]:
    """Properties of a sequence, checked.

    Raises:
        TypeError: a property is none.
        ValueError: there are none, or one has another number of steps.
    """
    pairs = given.items() if isinstance(given, Mapping) else [(getattr(each, "name", "?"), each) for each in given]
    found = [property_of(name, values) for name, values in pairs]
    if not found:
        raise ValueError("there are no properties that units could follow")
    for each in found:
        if len(each.values) != steps:
            raise ValueError(
                f"property {each.name!r} must have a value for each of {steps} steps; got {len(each.values)}"
            )
    return found
