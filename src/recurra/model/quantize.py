"""Quantized models: weights in bfloat16, or in int8 with a scale for each row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import FileFormatError
from recurra.model.description import Description, Weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"bf16": "bfloat16", "int8": "int8"}
FORMATS = tuple(_DTYPES)
_MOST = np.float32(127)  # the largest int8; -128 is unused, so that a number and its negative are rounded alike
_LARGEST_SCALE = np.nextafter(np.finfo(np.float32).max / _MOST, np.float32(0))  # 127 times this is finite


def quantize(description: Description, to: str) -> Description:
    """Quantize a model's matrices; vectors, such as biases, stay as they are.

    Everything is still computed in float32: states, sums, and the numbers that the quantized weights stand for.

    Args:
        description: a model with float32 or quantized weights.
        to: ``"bf16"`` rounds to the nearest bfloat16, ties to even; ``"int8"`` stores each row as whole numbers from
            -127 to 127 and a float32 scale, the row's largest magnitude divided by 127.

    Raises:
        FileFormatError: ``to`` is something else, the model is float64, or a weight to be int8 is not finite.
    """
    if to not in FORMATS:
        raise FileFormatError(f"narrower weights are {' or '.join(FORMATS)}, not {to!r}")
    by_id: dict[int, Weight] = {}  # keyed by the id of the source weight, so that tied weights stay tied
    for name, weight in description.weights.items():
        if id(weight) not in by_id:
            try:
                by_id[id(weight)] = quantized(weight, to)
            except ValueError as error:
                raise FileFormatError(f"weight {name} {error}") from None
    weights = {name: by_id[id(weight)] for name, weight in description.weights.items()}
    return replace(description, weights=weights)


def quantized(weight: Weight, to: str) -> Weight:
    """One weight as ``quantize`` stores it; vectors, and weights of that dtype already, are returned as they are.

    Raises:
        ValueError: the weight cannot be quantized, as ``quantize`` says; the message lacks the weight's name.
    """
    if weight.dtype == "float64":
        raise ValueError("is float64: convert the model to float32 first")
    if len(weight.shape) < 2 or weight.dtype == _DTYPES[to]:
        return weight
    values = weight.values()
    if to == "bf16":
        return Weight(_bfloat16(values), "bfloat16")
    if not np.isfinite(values).all():
        raise ValueError("holds numbers that are not finite, which int8 cannot")
    others = tuple(range(1, values.ndim))
    scale = np.minimum(np.abs(values).max(others, initial=0) / _MOST, _LARGEST_SCALE)
    scale[scale == 0] = 1
    whole = np.rint(values / np.expand_dims(scale, others))
    return Weight(np.clip(whole, -_MOST, _MOST).astype(np.int8), "int8", scale)


def _bfloat16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even; a NaN stays a NaN."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)
