"""Checks that turn a caller's numbers or tokens into arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def array_of(what: str, given: ArrayLike) -> NDArray[Any]:
    """The array of a caller's argument.

    Raises:
        RecurraError: the argument is nested lists of different lengths.
    """
    try:
        return np.asarray(given)
    except ValueError:
        raise RecurraError(f"{what} must be an array, or lists of lists of the same length") from None


def numbers(x: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """An array of real numbers, in a model's dtype.

    Raises:
        TypeError: the input is not real numbers.
        RecurraError: the input is nested lists of different lengths.
    """
    array = array_of("the model's input", x)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"the model's input must be numbers; got {array.dtype}")
    return np.asarray(array, dtype)


def tokens(x: ArrayLike) -> NDArray[np.int64]:
    """An array of token numbers, int64.

    Raises:
        TypeError: the input is not whole numbers.
        RecurraError: the input is nested lists of different lengths.
        IndexError: a number is too large for int64.
    """
    array = array_of("the model's input", x)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"the model's input is numbers of tokens, whole numbers; got {array.dtype}")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise IndexError(f"there is no token {array.max()}")
    return array.astype(np.int64)
