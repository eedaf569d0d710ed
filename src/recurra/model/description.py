"""A model as plain data: its parts, the weights by name, and annotations such as the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import FileFormatError
from recurra.model.annotations import check_annotations
from recurra.model.cost import check_cost, check_variables
from recurra.model.interface import Interface, interface_of
from recurra.model.kinds import check, role, weights_of
from recurra.model.members import check_members
from recurra.model.part import Part
from recurra.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Weight:
    """One weight as it is stored.

    Attributes:
        data: the numbers; for bfloat16 their bits, as uint16.
        dtype: ``"float64"``, ``"float32"``, ``"float16"``, ``"bfloat16"`` or ``"int8"``; also ``"int64"``, for the
            counts that other libraries store beside weights: no part of a description has such a weight.
        scale: float32 (rows,), the factor of each row of an int8 weight; None for the other dtypes.
    """

    data: NDArray[Any]
    dtype: str
    scale: NDArray[np.float32] | None = None

    @staticmethod
    def of(array: NDArray[Any]) -> Weight:
        """The weight that stores an array of float64, float32 or float16 as it is.

        Raises:
            FileFormatError: the array has another dtype.
        """
        name = array.dtype.name
        if name not in ("float64", "float32", "float16"):
            raise FileFormatError(f"a weight must be float64, float32 or float16, not {name}")
        return Weight(array, name)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the numbers."""
        return tuple(int(size) for size in self.data.shape)

    def values(self) -> NDArray[Any]:
        """The numbers to compute with: float64 stays, all real others become float32; read-only, or a copy."""
        if self.dtype == "bfloat16":
            return (self.data.astype(np.uint32) << 16).view(np.float32)
        if self.scale is not None:
            scale = self.scale.reshape(-1, *(1,) * (self.data.ndim - 1))
            return self.data.astype(np.float32) * scale
        return self.data if self.dtype in ("float64", "float32", "int64") else self.data.astype(np.float32)


def check_fit(weights: Mapping[str, Weight], shapes: Mapping[str, tuple[int, ...]], whole: str = "model") -> None:
    """Refuse weights that are not those of a model.

    Args:
        weights: the weights, by name.
        shapes: the shapes of the model's weights, by name.
        whole: the model's name in messages.

    Raises:
        FileFormatError: a weight is missing, is one too many, or has another shape; the message names it.
    """
    for problem, names in (
        ("is missing", shapes.keys() - weights.keys()),
        (f"is not part of the {whole}", weights.keys() - shapes.keys()),
    ):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise FileFormatError(f"weight {min(names)[:100]} {problem}{more}")
    for name, weight in weights.items():
        if weight.shape != shapes[name]:
            raise FileFormatError(f"weight {name} has shape {weight.shape}, the {whole} needs {shapes[name]}")


def _inside(weights: Mapping[str, Weight], prefix: str) -> dict[str, Weight]:
    """The weights whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


@dataclass(frozen=True, eq=False)
class Description:
    """A model as plain data, checked: every weight that the parts have, and no other.

    Attributes:
        root: the tree of parts.
        weights: the weights, by the full names that torch's state_dict has; tied weights are the same object.
        annotations: further facts about the model, by their names in the table of annotations, such as
            ``"vocabulary"`` or ``"forecaster"``. Default: none.

    Raises:
        FileFormatError: parts or weights differ from the table of kinds, parts do not fit behind one another, using
            them would cost too much, or an annotation is not known or needs another model; the message names them.
        TypeError: an annotation is not of its class.
    """

    root: Part
    weights: Mapping[str, Weight]
    annotations: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.root)
        check_variables(self.root)
        check_members(self.root)
        check_annotations(self.annotations, self.root)
        check_cost(self.root, stored=sum({id(weight): weight.data.size for weight in self.weights.values()}.values()))
        check_fit(self.weights, weights_of(self.root))
        for name, weight in self.weights.items():
            if weight.dtype == "int64":
                raise FileFormatError(f"weight {name} is of int64, and must be of real numbers")
            if weight.scale is not None and (weight.scale.shape != weight.shape[:1] or not weight.shape):
                raise FileFormatError(f"weight {name}: one scale for each of {weight.shape[:1]} rows expected")
        doubles = {weight.dtype == "float64": name for name, weight in self.weights.items()}
        if len(doubles) > 1:
            raise FileFormatError(f"weight {doubles[True]} is float64, and weight {doubles[False]} is not")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that the model computes in: float64 where its weights are, else float32."""
        is_double = any(weight.dtype == "float64" for weight in self.weights.values())
        return np.dtype(np.float64 if is_double else np.float32)

    def members(self) -> list[Description]:
        """The models inside, without annotations: an ensemble's members, or an encoder and its decoder; else none."""
        if role(self.root) != "models":
            return []
        return [Description(part, _inside(self.weights, f"{name}.")) for name, part in self.root.children]

    @cached_property
    def interface(self) -> Interface:
        """The input, the output and the states of the model.

        Raises:
            FileFormatError: there are several models inside, which do not run as one.
        """
        return interface_of(self.root, self.dtype)

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The tokens of a language model; None for other models."""
        vocabulary = self.annotations.get("vocabulary")
        return vocabulary if isinstance(vocabulary, Vocabulary) else None
