"""The supported operators of ONNX, a file for each family; importing this package fills the table."""

from recurra.graph.operators import (
    cell_scan,
    control,
    creating,
    elementwise,
    indexing,
    normalizing,
    products,
    quantized,
    quantized_functions,
    quantized_recurrent,
    recurrent,
    reducing,
    resizing,
    shaping,
    transposed,
    windows,
)

__all__ = [
    "cell_scan",
    "control",
    "creating",
    "elementwise",
    "indexing",
    "normalizing",
    "products",
    "quantized",
    "quantized_functions",
    "quantized_recurrent",
    "recurrent",
    "reducing",
    "resizing",
    "shaping",
    "transposed",
    "windows",
]
