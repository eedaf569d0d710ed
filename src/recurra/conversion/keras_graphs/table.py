"""The table of rules: for each class of layers of Keras the function that writes its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.conversion.arrays import Array, Arrays
from recurra.conversion.keras_config import KerasLayer, sole
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter
from recurra.errors import RecurraError


@dataclass(frozen=True)
class LayerWeights:
    """The arrays of a layer.

    Attributes:
        arrays: all arrays of the file.
        names: the names of those that are the layer's, by the rest of their names behind the layer's.
    """

    arrays: Arrays
    names: Mapping[str, str]

    def under(self, part: str) -> LayerWeights:
        """Those of a layer inside, behind a name that is a part of theirs."""
        inside = {}
        for rest, name in self.names.items():
            _, found, behind = f"/{rest}".partition(f"/{part}/")
            if found:
                inside[behind] = name
        return LayerWeights(self.arrays, inside)

    @property
    def by_role(self) -> dict[str, str]:
        """The names by their last parts, which are roles such as ``kernel``."""
        return {rest.rpartition("/")[2].removesuffix(":0"): name for rest, name in self.names.items()}

    def take(self, *roles: str) -> list[Array]:
        """The arrays of these roles, by the last part of their names; where those say nothing, by their order.

        Raises:
            RecurraError: one is missing, or holds no real numbers.
        """
        known = self.by_role
        if all(role in known for role in roles):
            return [self.arrays.take(known[role]) for role in roles]
        if len(self.names) != len(roles):
            given = ", ".join(list(self.names)[:10]) or "none"
            raise RecurraError(f"the arrays {', '.join(roles)} are needed; there are {given}")
        return [self.arrays.take(name) for name in self.names.values()]


@dataclass(frozen=True)
class RuleCall:
    """A call of a layer, as rules see it.

    Attributes:
        layer: the layer.
        arguments: the positional arguments: values, numbers, and lists of these.
        options: the named ones that are not None.
        weights: the layer's arrays.
        notes: gets a text for everything that the graph does otherwise than Keras.
    """

    layer: KerasLayer
    arguments: Sequence[Any]
    options: Mapping[str, Any]
    weights: LayerWeights
    notes: list[str]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The layer's settings."""
        return self.layer.settings

    @property
    def values(self) -> list[KerasValue]:
        """The tensors among the positional arguments, in order."""
        return list(values_in(self.arguments))

    @property
    def x(self) -> KerasValue:
        """The first tensor.

        Raises:
            ValueError: there is none.
        """
        if not self.values:
            raise ValueError("it has no input")
        return self.values[0]

    @property
    def mask(self) -> str | None:
        """The name of the mask of the first tensor: the one that was given, else its own; None where it has none."""
        given = self.options.get("mask")
        return given.name if isinstance(given, KerasValue) else self.x.mask

    @property
    def bias_roles(self) -> list[str]:
        """The role of the bias; none where the layer has no bias."""
        return ["bias"] if self.flag("use_bias", True) else []

    def size(self, name: str, usual: int = 1) -> int:
        """A setting that is a positive whole number, or a list of one.

        Raises:
            ValueError: it is none.
        """
        given = self.settings.get(name, usual)
        number = sole(given)
        if type(number) is not int or not 0 < number < 2**31:
            raise ValueError(f"{name} must be a positive whole number; it is {str(given)[:60]}")
        return number

    def number(self, name: str, usual: float) -> float:
        """A setting that is a number, also one that is written as an array.

        Raises:
            ValueError: it is none.
        """
        given = self.settings.get(name, usual)
        inside = given.get("config") if isinstance(given, dict) else None
        given = inside.get("value") if isinstance(inside, dict) else usual if given is None else given
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not abs(given) < 1e38:
            raise ValueError(f"{name} must be a number; it is {str(given)[:60]}")
        return float(given)

    def flag(self, name: str, usual: bool = False) -> bool:
        """A setting that is true or false."""
        return bool(self.settings.get(name, usual))


def values_in(arguments: Any) -> list[KerasValue]:
    """The tensors inside of arguments."""
    if isinstance(arguments, KerasValue):
        return [arguments]
    if isinstance(arguments, (list, tuple)):
        return [value for each in arguments for value in values_in(each)]
    return []


KerasRule = Callable[[KerasWriter, RuleCall], "KerasValue | list[KerasValue]"]
RULES: dict[str, KerasRule] = {}


def keras_rule(*kinds: str) -> Callable[[KerasRule], KerasRule]:
    """Enter a function in the table, as a decorator."""

    def enter(function: KerasRule) -> KerasRule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return enter


def as_vector(array: Array, what: str, size: int | None) -> Array:
    """An array that must be a vector of this size.

    Raises:
        ValueError: it has another shape.
    """
    if array.ndim != 1 or (size is not None and array.shape != (size,)):
        raise ValueError(f"{what} must have shape ({'size' if size is None else size},); it has {array.shape}")
    return np.asarray(array)


def known_width(x: KerasValue) -> int:
    """The number of features of a value.

    Raises:
        ValueError: it is not known.
    """
    width = x.shape[-1] if x.shape else None
    if width is None:
        raise ValueError("the number of features of its input is not known")
    return width
