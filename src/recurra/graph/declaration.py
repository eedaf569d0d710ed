"""Declared inputs and outputs of a model: name, shape and dtype, and the check of an array against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import OnnxError
from recurra.graph.table import Array


@dataclass(frozen=True)
class Declaration:
    """An input or output of a model.

    Attributes:
        name: its name in the model.
        shape: a size, the name of one, or None for each dimension; None if even their number is not declared.
        dtype: its dtype in numpy; None if it is not declared.
        is_optional: whether an input may be left out.
    """

    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: np.dtype[Any] | None
    is_optional: bool = False

    def __str__(self) -> str:
        sizes = ["?" if size in (None, "") else str(size) for size in self.shape or ()]
        shape = "any shape" if self.shape is None else f"({', '.join(sizes)})"
        return f"{self.name}: {self.dtype or 'any dtype'} {shape}" + (" (optional)" if self.is_optional else "")

    def accept(self, value: object) -> Array:
        """Convert a value to an array for this input, in the machine's byte order; whole numbers may be of fewer bits.

        Raises:
            OnnxError: the value is no array of numbers, or has another dtype or shape.
        """
        try:
            array = np.asarray(value)
            if array.dtype.kind not in "biuf":
                raise TypeError(f"{array.dtype} is no number")
            if self.dtype is not None and not hasattr(value, "dtype") and not _is_lossy(array, self.dtype):
                array = np.asarray(value, self.dtype)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise OnnxError(f"input {self} cannot be made of {type(value).__name__}: {error}") from None
        if self.dtype is not None and array.dtype.kind in "iu" and self.dtype.kind in "iu":
            array = array.astype(self.dtype) if np.can_cast(array.dtype, self.dtype, "safe") else array
        if self.dtype is not None and array.dtype.newbyteorder("=") != self.dtype:
            hint = f"convert it with .astype({self.dtype.name!r})"
            raise OnnxError(f"input {self}: the array has dtype {array.dtype}; {hint}")
        if self.shape is not None and not _fits(array.shape, self.shape):
            raise OnnxError(f"input {self}: the array has shape {array.shape}")
        return np.require(array, array.dtype.newbyteorder("="), "A")


def _is_lossy(array: Array, dtype: np.dtype[Any]) -> bool:
    """Whether Python's numbers are of a kind that the dtype does not take, such as fractions for whole numbers."""
    kinds = {"b": "b", "i": "iu", "u": "iu", "f": "fiu"}
    return array.size > 0 and array.dtype.kind in "biuf" and array.dtype.kind not in kinds[dtype.kind]


def _fits(shape: tuple[int, ...], declared: tuple[int | str | None, ...]) -> bool:
    return len(shape) == len(declared) and all(
        size == known for size, known in zip(shape, declared, strict=True) if isinstance(known, int)
    )
