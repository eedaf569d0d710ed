"""A model as plain data: its parts, the weights by name, and the vocabulary of a language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import FileFormatError
from recurra.model.cost import check_demand
from recurra.model.interface import Interface, check_chain, interface_of
from recurra.model.kinds import check, weights_of
from recurra.model.part import Part
from recurra.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Weight:
    """One weight as it is stored.

    Attributes:
        data: its numbers; of bfloat16 the bits, as uint16.
        dtype: ``"float64"``, ``"float32"``, ``"float16"``, ``"bfloat16"`` or ``"int8"``; ``"int64"`` of
            counts that other models keep beside their weights, and no part of a description has.
        scale: float32 (rows,), what each row of an int8 weight is multiplied by; None of the other dtypes.
    """

    data: NDArray[Any]
    dtype: str
    scale: NDArray[np.float32] | None = None

    @staticmethod
    def of(array: NDArray[Any]) -> Weight:
        """An array of float64, float32 or float16, stored as it is.

        Raises:
            FileFormatError: another dtype.
        """
        name = array.dtype.name
        if name not in ("float64", "float32", "float16"):
            raise FileFormatError(f"a weight must be float64, float32 or float16, not {name}")
        return Weight(array, name)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the numbers."""
        return tuple(int(size) for size in self.data.shape)

    def values(self) -> NDArray[Any]:
        """The numbers as they are computed with: float64 of float64, float32 of all others; read-only, or a copy."""
        if self.dtype == "bfloat16":
            return (self.data.astype(np.uint32) << 16).view(np.float32)
        if self.scale is not None:
            scale = self.scale.reshape(-1, *(1,) * (self.data.ndim - 1))
            return self.data.astype(np.float32) * scale
        return self.data if self.dtype in ("float64", "float32", "int64") else self.data.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Description:
    """A model as plain data, checked: every weight that the parts have, and no other.

    Attributes:
        root: the tree of parts.
        weights: by full name, as torch's state_dict names them; tied weights are the same object.
        vocabulary: what a language model's tokens are; None of other models.

    Raises:
        FileFormatError: parts or weights are not as the table of kinds has them, parts do not fit behind one another,
            or their use would take too much; names them.
    """

    root: Part
    weights: Mapping[str, Weight]
    vocabulary: Vocabulary | None = None

    def __post_init__(self) -> None:
        check(self.root)
        check_chain(self.root, None if self.vocabulary is None else len(self.vocabulary))
        check_demand(self.root, stored=sum({id(weight): weight.data.size for weight in self.weights.values()}.values()))
        shapes = weights_of(self.root)
        for problem, names in (
            ("is missing", shapes.keys() - self.weights.keys()),
            ("belongs to no part of the model", self.weights.keys() - shapes.keys()),
        ):
            if names:
                more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
                raise FileFormatError(f"weight {min(names)[:100]} {problem}{more}")
        for name, shape in shapes.items():
            weight = self.weights[name]
            if weight.dtype == "int64":
                raise FileFormatError(f"weight {name} is of int64, and must be of real numbers")
            if weight.shape != shape:
                raise FileFormatError(f"weight {name} must have shape {shape}; got {weight.shape}")
            if weight.scale is not None and (weight.scale.shape != shape[:1] or not shape):
                raise FileFormatError(f"weight {name}: one scale for each of {shape[:1]} rows expected")
        doubles = {weight.dtype == "float64": name for name, weight in self.weights.items()}
        if len(doubles) > 1:
            raise FileFormatError(f"weight {doubles[True]} is float64, and weight {doubles[False]} is not")

    @property
    def is_double(self) -> bool:
        """Whether it computes in float64; else in float32."""
        return any(weight.dtype == "float64" for weight in self.weights.values())

    @cached_property
    def interface(self) -> Interface:
        """What goes in and out of the model."""
        return interface_of(self.root, "float64" if self.is_double else "float32")
