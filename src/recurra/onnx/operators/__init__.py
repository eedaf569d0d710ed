"""The operators of ONNX that are known, a file for each family; importing this fills the table."""

from recurra.onnx.operators import (
    choosing,
    control,
    elementwise,
    making,
    normalizing,
    products,
    recurrent,
    reducing,
    shaping,
    windows,
)

__all__ = [
    "choosing",
    "control",
    "elementwise",
    "making",
    "normalizing",
    "products",
    "recurrent",
    "reducing",
    "shaping",
    "windows",
]
