"""Models with narrower weights: bfloat16, or int8 with a scale for each row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import FileFormatError
from recurra.model.description import Description, Weight

KINDS = ("bf16", "int8")


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
    made: dict[int, Weight] = {}
    for name, weight in description.weights.items():
        if weight.dtype == "float64":
            raise FileFormatError(f"weight {name} is float64: convert the model to float32 first")
        if id(weight) not in made:
            try:
                made[id(weight)] = _narrow(weight, kind)
            except ValueError as error:
                raise FileFormatError(f"weight {name}: {error}") from None
    weights = {name: made[id(weight)] for name, weight in description.weights.items()}
    return replace(description, weights=weights)


def _narrow(weight: Weight, kind: str) -> Weight:
    if len(weight.shape) < 2:
        return weight
    values = weight.values()
    if kind == "bf16":
        return Weight(_bfloat16(values), "bfloat16")
    if not np.isfinite(values).all():
        raise ValueError("it holds numbers that are not finite, which int8 cannot")
    rows = values.reshape(len(values), -1)
    scale = (np.abs(rows).max(1, initial=0) / np.float32(127)).astype(np.float32)
    scale[scale == 0] = 1
    whole = np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8)
    return Weight(whole.reshape(values.shape), "int8", scale)


def _bfloat16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even; of a NaN, a NaN's."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)
