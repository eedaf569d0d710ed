"""A caller's numbers or tokens as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.runtime.packed_program import Array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def array_of(what: str, given: ArrayLike) -> NDArray[Any]:
    """An array of whatever is given.

    Raises:
        RecurraError: lists that are no rectangle.
    """
    try:
        return np.asarray(given)
    except ValueError:
        raise RecurraError(f"{what} must be an array, or lists of lists of the same length") from None


def numbers(x: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """Real numbers, in the dtype of a model.

    Raises:
        TypeError: they are none.
        RecurraError: lists that are no rectangle.
    """
    array = array_of("the model's input", x)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"the model's input must be numbers; got {array.dtype}")
    return np.asarray(array, dtype)


def tokens(x: ArrayLike) -> NDArray[np.int64]:
    """Numbers of tokens.

    Raises:
        TypeError: they are no whole numbers.
        RecurraError: lists that are no rectangle.
        IndexError: one is beyond all tables.
    """
    array = array_of("the model's input", x)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"the model's input is numbers of tokens, whole numbers; got {array.dtype}")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise IndexError(f"there is no token {array.max()}")
    return array.astype(np.int64)
