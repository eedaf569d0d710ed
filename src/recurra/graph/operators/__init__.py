"""The supported operators of ONNX, a file for each family; importing this package fills the table."""

from recurra.graph.operators import (
    control,
    creating,
    elementwise,
    indexing,
    normalizing,
    products,
    recurrent,
    reducing,
    shaping,
    windows,
)

__all__ = [
    "control",
    "creating",
    "elementwise",
    "indexing",
    "normalizing",
    "products",
    "recurrent",
    "reducing",
    "shaping",
    "windows",
]
