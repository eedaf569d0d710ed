"""Models with narrower weights: bfloat16, or int8 with a scale for each row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import FileFormatError
from recurra.model.description import Description, Weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"bf16": "bfloat16", "int8": "int8"}
KINDS = tuple(_DTYPES)
_MOST = np.float32(127)  # of int8; -128 stays unused, so that a number and its negative are rounded alike
_LARGEST_SCALE = np.nextafter(np.finfo(np.float32).max / _MOST, np.float32(0))  # 127 times it is finite


def narrow(description: Description, kind: str) -> Description:
    """The same model with its matrices stored narrower; vectors, such as biases, stay as they are.

    What is computed stays float32: states, sums, and the numbers that the narrow ones stand for.

    Args:
        description: a model of float32 weights, or narrower ones.
        kind: ``"bf16"``, the nearest bfloat16, ties to even; or ``"int8"``, for each row whole numbers from -127 to 127
            times a float32 scale, the largest magnitude of the row divided by 127.

    Raises:
        FileFormatError: ``kind`` is something else, the model is float64, or with int8, a weight is not finite.
    """
    if kind not in KINDS:
        raise FileFormatError(f"narrower weights are {' or '.join(KINDS)}, not {kind!r}")
    made: dict[int, Weight] = {}  # by the weight that it comes from: tied ones stay tied
    for name, weight in description.weights.items():
        if id(weight) not in made:
            try:
                made[id(weight)] = narrowed(weight, kind)
            except ValueError as error:
                raise FileFormatError(f"weight {name} {error}") from None
    weights = {name: made[id(weight)] for name, weight in description.weights.items()}
    return replace(description, weights=weights)


def narrowed(weight: Weight, kind: str) -> Weight:
    """One weight, as ``narrow`` stores it; a vector, and what is of that kind already, comes back as it is.

    Raises:
        ValueError: as ``narrow`` does, without the weight's name.
    """
    if weight.dtype == "float64":
        raise ValueError("is float64: convert the model to float32 first")
    if len(weight.shape) < 2 or weight.dtype == _DTYPES[kind]:
        return weight
    values = weight.values()
    if kind == "bf16":
        return Weight(_bfloat16(values), "bfloat16")
    if not np.isfinite(values).all():
        raise ValueError("holds numbers that are not finite, which int8 cannot")
    others = tuple(range(1, values.ndim))
    scale = np.minimum(np.abs(values).max(others, initial=0) / _MOST, _LARGEST_SCALE)
    scale[scale == 0] = 1
    whole = np.rint(values / np.expand_dims(scale, others))
    return Weight(np.clip(whole, -_MOST, _MOST).astype(np.int8), "int8", scale)


def _bfloat16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even; of a NaN, a NaN's."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)
