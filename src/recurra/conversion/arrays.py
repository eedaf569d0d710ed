"""Named arrays, from a file or a mapping."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.conversion.files import read_arrays
from recurra.conversion.keras_config import layers_of
from recurra.conversion.unread import Unread
from recurra.conversion.weight_norm import multiplied, normalised
from recurra.errors import RecurraError

Array = NDArray[Any]
ArraySource = str | os.PathLike[str] | Mapping[str, Any]

MOST_LISTED = 20


@dataclass(frozen=True, eq=False)
class Item:
    """An array with its role and its name.

    Attributes:
        role: its role in the layer, such as weight_ih or kernel.
        name: its name in the source.
        array: its numbers.
    """

    role: str
    name: str
    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.array.shape

    @property
    def label(self) -> str:
        """The role and the name, for messages."""
        return self.role if self.name == self.role else f"{self.role} ({self.name[:100]})"

    def mismatch(self, needed: str, hint: str = "") -> RecurraError:
        """The error that the array's shape is not the needed one."""
        return RecurraError(f"{self.label} must have shape {needed}; got {self.shape}" + (f": {hint}" if hint else ""))


RoleArrays = Mapping[str, Item]  # the arrays of one layer in one direction, by role


class Arrays:
    """Arrays by name, and a record of those that were taken.

    Attributes:
        names: the names of all arrays, also of those that are products of others.
        layers: the layers of the configuration, by name.

    Args:
        where: the source's name in messages, such as the file's.
        values: the arrays, or values that numpy can convert to arrays, by name.
        skipped: what the source holds besides, for messages. Default: nothing.
        config: the configuration of a model of Keras, as JSON. Default None: there is none.
    """

    def __init__(self, where: str, values: Mapping[str, Any], skipped: Sequence[str] = (), config: Any = None) -> None:
        self.where = where
        self.values = values
        self.skipped = skipped
        self.config = config
        self.layers = layers_of(config)
        self.taken: set[str] = set()
        strange = [name for name in values if not isinstance(name, str)]
        if strange:
            raise RecurraError(f"the arrays must have texts as names; got {strange[0]!r}"[:200])
        self._products = normalised(values)
        self.names = [*values, *self._products]

    @staticmethod
    def of(source: ArraySource | Arrays) -> Arrays:
        """The arrays of a mapping, or of a file, whose content tells its format; arrays stay what they are.

        Raises:
            FileFormatError: the file cannot be read, is damaged, or has another format.
            RecurraError: the source is neither a path nor a mapping.
        """
        if isinstance(source, Arrays):
            return source
        if isinstance(source, Mapping):
            return Arrays("the source", source)
        if not isinstance(source, (str, os.PathLike)):
            raise RecurraError(f"the source must be a path, or arrays by name; got {type(source).__name__}")
        return Arrays(Path(source).name, *read_arrays(source))

    def by_role(self, roles: Mapping[str, str]) -> RoleArrays:
        """Take the arrays of these names, by role.

        Raises:
            RecurraError: there is no array of a name, or it does not hold real numbers.
        """
        return {role: Item(role, name, self.take(name)) for role, name in roles.items()}

    def take(self, name: str) -> Array:
        """Take an array of real numbers, as a contiguous copy; float16 stays, bfloat16 becomes float32.

        A weight that is stored as a length and a direction, as torch's weight_norm does, is their product.

        Raises:
            RecurraError: there is no array of this name, or it does not hold real numbers.
        """
        if name not in self.names:
            raise RecurraError(f"there is no array {str(name)[:100]!r}, but {self.listing(list(self.values))}")
        if name in self._products:
            length, direction = self._products[name]
            return multiplied(name, self.take(length), self.take(direction))
        self.taken.add(name)
        try:
            value = self._value(name)
            if value.dtype.name == "bfloat16":
                return value.astype(np.float32)
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise RecurraError(f"{name[:100]} is no array of numbers: {str(error)[:200]}") from None
        if value.dtype.name not in ("float16", "float32", "float64"):
            raise RecurraError(f"{name[:100]} must be of real numbers; got {value.dtype}")
        return np.array(value, value.dtype.newbyteorder("="), order="C")

    def _value(self, name: str) -> Array:
        value = self.values[name]
        if isinstance(value, Unread):
            raise ValueError(f"it {value.reason}, which is not read")
        if str(getattr(value, "dtype", "")) == "torch.bfloat16":
            value = value.float()  # numpy has no such dtype
        return np.asarray(value.detach() if hasattr(value, "detach") else value)

    def listing(self, names: list[str]) -> str:
        """The names with the shapes of their arrays, as one text."""
        more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
        return ", ".join(map(self._shown, names[:MOST_LISTED])) + more

    def _shown(self, name: str) -> str:
        try:
            return f"{name[:100]} {tuple(self.values[name].shape)}"
        except (AttributeError, TypeError, ValueError):  # it is no array, or one that numpy refuses to read
            return name[:100]

    def unused(self) -> str:
        """The names of the arrays that were not taken, with shapes."""
        return self.listing([name for name in self.values if name not in self.taken])
