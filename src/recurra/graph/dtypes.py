"""Numbers that ONNX has for element types, and the dtypes of numpy that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np

# The numbers of the standard's TensorProto.DataType. Types that numpy lacks (bfloat16, 8-bit floats, 4-bit integers),
# complex numbers and strings are not supported.
_DTYPES: dict[int, np.dtype[Any]] = {
    number: np.dtype(name)
    for number, name in (
        (1, "float32"), (2, "uint8"), (3, "int8"), (4, "uint16"), (5, "int16"), (6, "int32"), (7, "int64"), (9, "bool"),
        (10, "float16"), (11, "float64"), (12, "uint32"), (13, "uint64"),
    )
}  # fmt: skip
_OTHERS = {
    8: "string", 14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
    19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2",
    26: "int2",
}  # fmt: skip


def read_dtype(number: int) -> np.dtype[Any]:
    """The dtype for ONNX's number of an element type.

    Raises:
        ValueError: the type is not supported; the message names it.
    """
    if number not in _DTYPES:
        raise ValueError(f"element type {_OTHERS.get(number, number)} is not supported")
    return _DTYPES[number]


def onnx_number(dtype: np.dtype[Any]) -> int:
    """ONNX's number for a dtype that a graph can hold.

    Raises:
        ValueError: it has none.
    """
    for number, known in _DTYPES.items():
        if known == dtype:
            return number
    raise ValueError(f"numbers of {dtype} are not supported")
