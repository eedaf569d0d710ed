"""Models whose matrices take half or a quarter of the memory: numbers rounded to bfloat16 or int8."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recurra.errors import FileFormatError
from recurra.model.description import Description, Weight

Narrow = Literal["bf16", "int8"]
_DTYPES = {"bf16": "bfloat16", "int8": "int8"}
_MOST = np.float32(127)  # of int8; -128 stays unused, so that a number and its negative are rounded alike
_LARGEST = np.nextafter(np.finfo(np.float32).max / _MOST, np.float32(0))  # scale: 127 times it is finite


def narrow(description: Description, to: Narrow) -> Description:
    """The model with every matrix rounded, embedding tables and linear maps included; vectors stay as they are.

    States and sums stay float32: what changes is the weights' numbers, once, and how many bytes hold them.

    Args:
        description: of float32 or narrower weights.
        to: ``"bf16"``, the nearest number of 8 bits of precision; or ``"int8"``, a whole number from -127 to 127 times
            a float32 scale for each row, a 127th of the row's largest number.

    Raises:
        FileFormatError: weights are float64, or not finite where int8 is asked for; or ``to`` is neither.
    """
    made: dict[int, Weight] = {}  # by the weight it comes from, so that tied ones stay tied
    for name, weight in description.weights.items():
        if id(weight) not in made:
            made[id(weight)] = narrowed(name, weight, to)
    weights = {name: made[id(weight)] for name, weight in description.weights.items()}
    return Description(description.root, weights, description.vocabulary)


def narrowed(name: str, weight: Weight, to: Narrow) -> Weight:
    """One weight rounded, as ``narrow`` rounds all of a model.

    Args:
        name: for the errors.
        weight: of any shape; one of fewer than two dimensions comes back as it is.
        to: see ``narrow``.

    Raises:
        FileFormatError: as ``narrow`` does.
    """
    if to not in _DTYPES:
        raise FileFormatError(f"weights can be made bf16 or int8, not {str(to)[:20]!r}")
    if weight.dtype == "float64":
        raise FileFormatError(f"weight {name} is float64: only models of float32 or less can be made {to}")
    if len(weight.shape) < 2 or weight.dtype == _DTYPES[to]:
        return weight
    values = weight.values()
    if to == "bf16":
        return Weight(_to_bfloat16(values), "bfloat16")
    if not np.isfinite(values).all():
        raise FileFormatError(f"weight {name} has numbers that are not finite: int8 cannot hold them")
    whole, scale = _to_int8(values)
    return Weight(whole, "int8", scale)


def _to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves of the bits, rounded to the nearest, of two to the even one; NaN stays NaN, of the same sign."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    upper = bits >> 16
    nearest = (bits + (0x7FFF + (upper & 1))) >> 16  # a NaN may wrap around, but is not taken from here
    return np.where(np.isnan(values), upper | 0x40, nearest).astype(np.uint16)


def _to_int8(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers, and the scale of each row; of a row of zeros it is 1."""
    others = tuple(range(1, values.ndim))
    scale = np.minimum(np.abs(values).max(others, initial=0) / _MOST, _LARGEST)
    scale[scale == 0] = 1
    whole = np.rint(values / np.expand_dims(scale, others))
    return np.clip(whole, -_MOST, _MOST).astype(np.int8), scale
